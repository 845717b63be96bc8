//! Examples that are longer than the context length: cut, left out or split, as wished.

use stepladder_protocol::TooLong;

use super::loss_mask::MaskedTokens;

/// What an example became at a context length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fitted {
    /// The pieces that are trained on, in their order.
    pub(super) pieces: Vec<Piece>,
    /// What happened to it, if it was too long.
    pub(super) shortened: Option<Shortened>,
}

/// Consecutive tokens of an example, perhaps with the token that begins a sequence before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) tokens: MaskedTokens,
    /// Index in the example of the first of the consecutive tokens.
    first: usize,
    bos: bool,
}

impl Piece {
    fn of(tokens: &MaskedTokens, first: usize, end: usize) -> Self {
        let mut targets = tokens.targets[first..end].to_vec();
        // The first is predicted by nothing.
        if let Some(target) = targets.first_mut() {
            *target = false;
        }
        Self {
            tokens: MaskedTokens {
                ids: tokens.ids[first..end].to_vec(),
                targets,
            },
            first,
            bos: false,
        }
    }

    fn behind_bos(mut self, bos: u32) -> Self {
        // Which the token behind it is predicted from.
        self.tokens.ids.insert(0, bos);
        self.tokens.targets.insert(0, false);
        self.bos = true;
        self
    }

    /// Index in the example of each token.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        let bos = self.bos.then_some(0);
        let rest = self.tokens.ids.len() - usize::from(self.bos);
        bos.into_iter().chain(self.first..self.first + rest)
    }
}

/// How an example that is too long was made to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortened {
    /// Tokens were cut off.
    Cut,
    /// It was split; pieces without a trained token are not counted among the pieces.
    Split,
}

/// Why an example is not trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It cannot be told; says why.
    Refused { problem: String },
    /// It is longer than the context length, and those are left out.
    TooLong { full_tokens: usize },
    /// Nothing trained is left when it is cut.
    AnswerCutOff {
        full_tokens: usize,
        first_target: usize,
        wish: TooLong,
    },
    /// No token of it is an answer's.
    NothingTrained,
}

impl Unfit {
    /// In words.
    pub(super) fn problem(&self, context: usize) -> String {
        match self {
            Self::Refused { problem } => problem.clone(),
            Self::TooLong { full_tokens } => format!(
                "its {full_tokens} tokens are more than the context length of {context} tokens"
            ),
            Self::AnswerCutOff {
                wish: TooLong::CutLeft,
                full_tokens,
                ..
            } => format!(
                "nothing is trained among the last {context} of its {full_tokens} tokens, which are kept"
            ),
            Self::AnswerCutOff {
                full_tokens,
                first_target,
                ..
            } => format!(
                "its answer begins at token {} of {full_tokens}, behind the context length of {context} tokens",
                first_target + 1
            ),
            Self::NothingTrained => "no token of it is trained".to_owned(),
        }
    }
}

/// Makes an example fit. `bos` is the token that begins a sequence; it stays in front when the
/// beginning is cut off.
pub(super) fn fit(
    tokens: &MaskedTokens,
    context: usize,
    wish: TooLong,
    bos: Option<u32>,
) -> Result<Fitted, Unfit> {
    let full_tokens = tokens.ids.len();
    let Some(first_target) = tokens.targets.iter().position(|target| *target) else {
        return Err(Unfit::NothingTrained);
    };
    if full_tokens <= context {
        return Ok(Fitted {
            pieces: vec![Piece::of(tokens, 0, full_tokens)],
            shortened: None,
        });
    }
    let (pieces, shortened) = match wish {
        TooLong::Drop => return Err(Unfit::TooLong { full_tokens }),
        TooLong::CutRight => (vec![Piece::of(tokens, 0, context)], Shortened::Cut),
        TooLong::CutLeft => {
            let bos = bos.filter(|bos| tokens.ids.first() == Some(bos) && context > 2);
            let kept = context - usize::from(bos.is_some());
            let piece = Piece::of(tokens, full_tokens - kept, full_tokens);
            let piece = match bos {
                Some(bos) => piece.behind_bos(bos),
                None => piece,
            };
            (vec![piece], Shortened::Cut)
        }
        TooLong::Split => {
            // A piece begins with the last token of the one before, so that each token is predicted
            // from another.
            let step = (context - 1).max(1);
            let pieces = (0..full_tokens - 1)
                .step_by(step)
                .map(|first| Piece::of(tokens, first, (first + context).min(full_tokens)));
            (pieces.collect(), Shortened::Split)
        }
    };
    let trained = |piece: &Piece| piece.tokens.targets.contains(&true);
    let pieces: Vec<Piece> = pieces.into_iter().filter(trained).collect();
    match pieces.is_empty() {
        true => Err(Unfit::AnswerCutOff {
            full_tokens,
            first_target,
            wish,
        }),
        false => Ok(Fitted {
            pieces,
            shortened: Some(shortened),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(targets: &str) -> MaskedTokens {
        MaskedTokens {
            ids: (0..targets.len() as u32).collect(),
            targets: targets.chars().map(|c| c == 'x').collect(),
        }
    }

    /// Each piece as its ids, those trained marked.
    fn shown(targets: &str, context: usize, wish: TooLong) -> Vec<String> {
        let fitted = fit(&tokens(targets), context, wish, Some(0)).unwrap();
        let mark = |(id, target): (&u32, &bool)| format!("{id}{}", if *target { "x" } else { "" });
        let piece = |piece: &Piece| {
            let tokens = &piece.tokens;
            // The ids of these tests are the places.
            assert!({ piece.places() }.eq(tokens.ids.iter().map(|id| *id as usize)));
            let marked: Vec<String> = tokens.ids.iter().zip(&tokens.targets).map(mark).collect();
            marked.join(" ")
        };
        fitted.pieces.iter().map(piece).collect()
    }

    #[test]
    fn what_fits_stays_whole() {
        for wish in [
            TooLong::Drop,
            TooLong::CutLeft,
            TooLong::CutRight,
            TooLong::Split,
        ] {
            let fitted = fit(&tokens(".xx."), 4, wish, None).unwrap();
            assert_eq!(fitted.pieces[0].tokens, tokens(".xx."));
            assert_eq!(fitted.shortened, None);
            assert_eq!(
                fit(&tokens("...."), 4, wish, None),
                Err(Unfit::NothingTrained)
            );
        }
    }

    #[test]
    fn each_wish_does_what_it_says() {
        assert_eq!(shown("..xxxx", 4, TooLong::CutRight), ["0 1 2x 3x"]);
        assert_eq!(shown("..xxxx", 4, TooLong::CutLeft), ["0 3 4x 5x"]);
        let without_bos = fit(&tokens("..xxxx"), 4, TooLong::CutLeft, None).unwrap();
        assert_eq!(without_bos.pieces[0].tokens.ids, [2, 3, 4, 5]);
        assert_eq!(without_bos.shortened, Some(Shortened::Cut));
        assert_eq!(
            fit(&tokens("..xxxx"), 4, TooLong::Drop, None),
            Err(Unfit::TooLong { full_tokens: 6 })
        );
        assert_eq!(
            fit(&tokens("....xx"), 4, TooLong::CutRight, None),
            Err(Unfit::AnswerCutOff {
                full_tokens: 6,
                first_target: 4,
                wish: TooLong::CutRight
            })
        );
    }

    #[test]
    fn split_pieces_train_every_target_once() {
        assert_eq!(
            shown(".xxxxxxxxx", 4, TooLong::Split),
            ["0 1x 2x 3x", "3 4x 5x 6x", "6 7x 8x 9x"]
        );
        assert_eq!(shown(".....x", 4, TooLong::Split), ["3 4 5x"]);
        for length in 3..40 {
            for context in 2..length {
                let all = tokens(&format!(".{}", "x".repeat(length - 1)));
                let fitted = fit(&all, context, TooLong::Split, None).unwrap();
                let trained = fitted.pieces.iter().flat_map(|piece| {
                    let pairs = piece.tokens.ids.iter().zip(&piece.tokens.targets);
                    pairs.filter(|(_, target)| **target).map(|(id, _)| *id)
                });
                assert!(trained.eq(1..length as u32), "{length} {context}");
                assert!(
                    fitted
                        .pieces
                        .iter()
                        .all(|piece| piece.tokens.ids.len() <= context)
                );
            }
        }
    }
}
