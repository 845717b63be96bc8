//! Which template a model is used with, and whether the two get on: its own, one that comes with the
//! program, one from a file, or the one that an adapter was trained with.

use std::path::{Path, PathBuf};

use super::markers::{leading_marker, markers};
use super::named::{EndOfTurn, NamedTemplate};
use super::probe::{ANSWER, TRACE, answer, answer_after, messages_told, opening_told, question};
use super::source::read_source;
use super::{ChatTemplate, Clock, Thinking};
use crate::foreign_text::visible_excerpt;
use crate::models::tokenizer::Tokenizer;
use crate::{Error, Result};

/// The choice that leaves it to the model.
const AUTO: &str = "auto";

/// Where a template comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateOrigin {
    /// The model's own.
    Model,
    /// One that comes with the program.
    Named(&'static NamedTemplate),
    /// A file of the user's.
    File(PathBuf),
    /// The folder of an adapter that was trained with it.
    Adapter(PathBuf),
}

/// A template with what its use asks of the tokenizer.
#[derive(Clone, Debug)]
pub struct ChosenTemplate {
    /// The template.
    pub template: ChatTemplate,
    /// Where it comes from.
    pub origin: TemplateOrigin,
    /// Tokens that end a turn in this template and are none of the tokenizer's stop tokens.
    pub stop_tokens: Vec<u32>,
    /// The model has another one of its own.
    replaces_own: bool,
}

/// What a choice is made among.
pub(in crate::models) struct Choosing<'a> {
    /// The model's folder or file.
    pub(in crate::models) model: &'a Path,
    pub(in crate::models) tokenizer: &'a Tokenizer,
    pub(in crate::models) own: Option<&'a ChatTemplate>,
    pub(in crate::models) clock: Option<Clock>,
}

impl Choosing<'_> {
    /// `auto`, a name, or the path of a file.
    pub(in crate::models) fn choose(&self, choice: &str) -> Result<ChosenTemplate> {
        if choice == AUTO {
            return self.own();
        }
        if let Some(named) = NamedTemplate::find(choice) {
            let mut chosen = self.other(
                Path::new(choice),
                named.source,
                TemplateOrigin::Named(named),
            )?;
            if let EndOfTurn::Token(token) = named.end_of_turn {
                chosen.stop_at(token, self.tokenizer);
            }
            return Ok(chosen);
        }
        let path = Path::new(choice);
        let source = read_file(path)?;
        if self.is_own(&source) {
            return self.own();
        }
        let mut chosen = self.other(path, &source, TemplateOrigin::File(path.to_path_buf()))?;
        chosen.stop_behind_answers(self.tokenizer);
        Ok(chosen)
    }

    /// The template that lies in an adapter's folder, the model's own where none does, with the stop
    /// tokens of its description.
    pub(in crate::models) fn of_adapter(
        &self,
        folder: &Path,
        source: Option<&str>,
        stop_tokens: &[u32],
    ) -> Result<ChosenTemplate> {
        let origin = TemplateOrigin::Adapter(folder.to_path_buf());
        let mut chosen = match source.filter(|source| !self.is_own(source)) {
            None => self.own()?,
            Some(source) => {
                let mut chosen = self.other(folder, source, origin)?;
                chosen.stop_behind_answers(self.tokenizer);
                chosen
            }
        };
        for id in stop_tokens {
            if !chosen.stop_tokens.contains(id) {
                chosen.stop_tokens.push(*id);
            }
        }
        Ok(chosen)
    }

    fn own(&self) -> Result<ChosenTemplate> {
        let missing = || Error::ChatTemplateMissing {
            path: self.model.to_path_buf(),
        };
        Ok(ChosenTemplate {
            template: self.own.ok_or_else(missing)?.clone(),
            origin: TemplateOrigin::Model,
            stop_tokens: Vec::new(),
            replaces_own: false,
        })
    }

    fn is_own(&self, source: &str) -> bool {
        self.own.is_some_and(|own| own.source() == source)
    }

    fn other(&self, place: &Path, source: &str, origin: TemplateOrigin) -> Result<ChosenTemplate> {
        let special = self.tokenizer.special_tokens().clone();
        let template = ChatTemplate::new(place, source, special)?;
        Ok(ChosenTemplate {
            template: match self.clock {
                Some(clock) => template.with_clock(clock),
                None => template,
            },
            origin,
            stop_tokens: Vec::new(),
            replaces_own: self.own.is_some(),
        })
    }
}

impl ChosenTemplate {
    /// The source, where an adapter trained with it has to bring it along.
    pub fn source_to_keep(&self) -> Option<&str> {
        match self.origin {
            TemplateOrigin::Model => None,
            _ => Some(self.template.source()),
        }
    }

    /// What the user should know before training or talking with this template and this tokenizer.
    pub fn notices(&self, tokenizer: &Tokenizer) -> Vec<String> {
        let told = self.told();
        let mut notices = Vec::new();
        if self.replaces_own {
            notices.push(format!(
                "{} takes the place of the model's own chat template",
                self.described()
            ));
        }
        notices.extend(self.lacking(tokenizer));
        notices.extend(self.without_end(tokenizer, &told));
        notices.extend(self.double_bos(tokenizer));
        notices
    }

    fn described(&self) -> String {
        let shown = |path: &Path| visible_excerpt(&path.display().to_string(), 200);
        match &self.origin {
            TemplateOrigin::Model => "the model's chat template".to_owned(),
            TemplateOrigin::Named(named) => format!("the chat template {}", named.name),
            TemplateOrigin::File(path) => format!("the chat template {}", shown(path)),
            TemplateOrigin::Adapter(path) => format!("the chat template of {}", shown(path)),
        }
    }

    fn lacking(&self, tokenizer: &Tokenizer) -> Option<String> {
        let told = self.told_with_trace() + &self.told_opening();
        let printed = match &self.origin {
            TemplateOrigin::Named(named) => {
                let end = match named.end_of_turn {
                    EndOfTurn::Token(token) => Some(token),
                    EndOfTurn::EndOfSequence => None,
                };
                named.special_tokens.iter().copied().chain(end).collect()
            }
            _ => markers(&told),
        };
        let lacking: Vec<String> = printed
            .into_iter()
            .filter(|token| single_token(tokenizer, token).is_none())
            .map(|token| visible_excerpt(token, 60))
            .collect();
        (!lacking.is_empty()).then(|| {
            format!(
                "{} prints {}, which this model's tokenizer spells out in several tokens; a template \
                 made for this model would be learned more easily",
                self.described(),
                lacking.join(", ")
            )
        })
    }

    fn without_end(&self, tokenizer: &Tokenizer, told: &str) -> Option<String> {
        let (_, behind) = told.rsplit_once(ANSWER)?;
        let ids = tokenizer.encode(behind).ok()?.ids;
        let mut stops = tokenizer.stop_tokens().iter().chain(&self.stop_tokens);
        (!stops.any(|stop| ids.contains(stop))).then(|| {
            format!(
                "{} puts no token behind an answer at which the model stops; answers will run on to \
                 their limit. `chatml` and other templates end their turns (--template)",
                self.described()
            )
        })
    }

    fn double_bos(&self, tokenizer: &Tokenizer) -> Option<String> {
        let bos = tokenizer.special_tokens().bos.as_deref()?;
        self.begins_twice(bos, tokenizer).then(|| {
            format!(
                "{} begins its text with {} twice; leave it out of the template",
                self.described(),
                visible_excerpt(bos, 60)
            )
        })
    }

    fn begins_twice(&self, bos: &str, tokenizer: &Tokenizer) -> bool {
        let encoded = tokenizer.encode(&self.told());
        match (single_token(tokenizer, bos), encoded) {
            (Some(bos), Ok(encoded)) => encoded.ids.starts_with(&[bos, bos]),
            _ => false,
        }
    }

    /// A question and its answer.
    fn told(&self) -> String {
        messages_told(&self.template, &[question(), answer()]).unwrap_or_default()
    }

    fn told_with_trace(&self) -> String {
        let messages = [question(), answer_after(TRACE)];
        messages_told(&self.template, &messages).unwrap_or_default()
    }

    fn told_opening(&self) -> String {
        opening_told(&self.template, Thinking::Unsaid).unwrap_or_default()
    }

    /// Nobody says what ends a turn in a foreign template: it is the token behind an answer.
    fn stop_behind_answers(&mut self, tokenizer: &Tokenizer) {
        let told = self.told();
        let behind = told.rsplit_once(ANSWER).map_or("", |(_, behind)| behind);
        if let Some(token) = leading_marker(behind.trim_start()) {
            self.stop_at(token, tokenizer);
        }
    }

    fn stop_at(&mut self, token: &str, tokenizer: &Tokenizer) {
        let is_new =
            |id: &u32| !tokenizer.stop_tokens().contains(id) && !self.stop_tokens.contains(id);
        let id = single_token(tokenizer, token).filter(is_new);
        self.stop_tokens.extend(id);
    }
}

/// The token that a text is, if it is one.
fn single_token(tokenizer: &Tokenizer, text: &str) -> Option<u32> {
    match tokenizer.encode(text).ok()?.ids.as_slice() {
        [id] => Some(*id),
        _ => None,
    }
}

fn read_file(path: &Path) -> Result<String> {
    if !path.is_file() {
        let shown = visible_excerpt(&path.display().to_string(), 200);
        return Err(Error::ConfigInvalid {
            field: "template",
            problem: format!("{shown} is neither the name of a template nor a file"),
            hint: format!(
                "use auto for the model's own, one of {}, or the path of a .jinja file",
                NamedTemplate::names()
            ),
        });
    }
    read_source(path)
}

#[cfg(test)]
mod tests;
