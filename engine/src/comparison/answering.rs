//! Who answers. Behind a trait, so that answering many questions at once can take the place of
//! answering them one by one.

mod side_by_side;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use stepladder_protocol::FinishReason;

pub use self::side_by_side::SideBySide;
use super::counting::Reply;
use super::statistics::distinct_3;
use super::variants::Variant;
use crate::generation::SamplerSettings;
use crate::generation::generator::Generator;
use crate::generation::reasoning::leaves_block_open;
use crate::generation::sampler::Sampler;
use crate::models::chat_template::{Dialog, GenerationPrompt, Message};
use crate::models::decoder::Decoder;
use crate::models::loading::Told;
use crate::models::model::ModelFiles;
use crate::models::quantization::BackboneQuantization;
use crate::models::tokenizer::SpecialTokenText;
use crate::training::stop_flag::StopFlag;
use crate::{Error, Result};

/// Stack of a thread that answers.
const STACK_BYTES: usize = 16 << 20;

/// A question as it is put to a variant.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The conversation, its last message the one to answer.
    pub messages: &'a [Message],
    /// The tools that may be called.
    pub tools: Option<&'a serde_json::Value>,
    /// Seed of the draw; the same for every variant.
    pub seed: u64,
}

/// A reply.
#[derive(Clone, Debug)]
pub struct Given {
    /// Which of the questions it answers.
    pub place: usize,
    /// The reply.
    pub reply: Reply,
}

/// Answers questions.
pub trait Answering {
    /// Makes ready what a variant needs.
    ///
    /// # Errors
    /// When its backbone cannot be loaded.
    fn make_ready(&mut self, variant: usize, told: Told<'_>) -> Result<()>;

    /// Answers some questions and hands each reply on as soon as it is there, in any order. What is
    /// handed on does not depend on which questions are asked together, but for what rounding does on a
    /// card.
    ///
    /// # Errors
    /// When a question cannot be told by the chat template; [`Error::Stopped`] when the flag is raised,
    /// after the replies that were whole were handed on.
    fn answer(
        &self,
        variant: usize,
        asked: &[Asked<'_>],
        stop: &StopFlag,
        given: &mut dyn FnMut(Given) -> Result<()>,
    ) -> Result<()>;
}

/// A question as it is put to a variant, in its template's words.
struct ToldQuestion {
    prompt: String,
    ids: Vec<u32>,
    /// Tokens that its answer may have.
    limit: usize,
    settings: SamplerSettings,
}

/// Each question by itself, on as many threads as there are.
pub struct OneByOne<'a> {
    files: &'a ModelFiles,
    variants: &'a [Variant],
    settings: SamplerSettings,
    backbone: Option<(BackboneQuantization, Decoder)>,
}

impl<'a> OneByOne<'a> {
    /// Nothing is loaded yet.
    pub fn new(files: &'a ModelFiles, variants: &'a [Variant], settings: SamplerSettings) -> Self {
        Self {
            files,
            variants,
            settings,
            backbone: None,
        }
    }

    fn backbone(&self) -> Result<&Decoder> {
        match &self.backbone {
            Some((_, backbone)) => Ok(backbone),
            None => Err(Error::Stopped),
        }
    }

    /// A question as a variant is told it, and how many tokens its answer may have.
    fn told(&self, variant: usize, asked: &Asked<'_>) -> Result<ToldQuestion> {
        let dialog = Dialog {
            tools: asked.tools,
            ..Dialog::new(asked.messages)
        };
        let template = self.variants[variant].template();
        let prompt = template.render(&dialog, GenerationPrompt::Assistant)?;
        let ids = self.files.tokenizer.encode(&prompt)?.ids;
        let room = self.files.config.max_positions.saturating_sub(ids.len());
        let room = if ids.is_empty() { 0 } else { room };
        Ok(ToldQuestion {
            limit: self.settings.max_tokens.map_or(room, |most| most.min(room)),
            settings: SamplerSettings {
                seed: Some(asked.seed),
                ..self.settings.clone()
            },
            prompt,
            ids,
        })
    }

    fn reply(&self, variant: usize, asked: &Asked<'_>, stop: &StopFlag) -> Result<Reply> {
        let told = self.told(variant, asked)?;
        let tokenizer = &self.files.tokenizer;
        let mut sampler = Sampler::new(&told.settings, tokenizer.generation_defaults());
        let mut generator = Generator::new(self.backbone()?, self.variants[variant].in_use());
        let stop_tokens = self.stop_tokens(variant);
        let (mut said, mut next) = (Vec::new(), told.ids.clone());
        let finish = loop {
            if said.len() >= told.limit {
                break FinishReason::Length;
            }
            if stop.is_raised() {
                return Err(Error::Stopped);
            }
            let token = sampler.sample(&generator.push(&next)?, &said)?;
            if stop_tokens.contains(&token) {
                break FinishReason::Stop;
            }
            said.push(token);
            next = vec![token];
        };
        self.written(variant, &told, &said, finish)
    }

    /// Tokens that end a variant's answers.
    fn stop_tokens(&self, variant: usize) -> Vec<u32> {
        let own = &self.variants[variant].stop_tokens;
        [self.files.tokenizer.stop_tokens(), own].concat()
    }

    /// What was said, as text.
    fn written(
        &self,
        variant: usize,
        told: &ToldQuestion,
        said: &[u32],
        finish: FinishReason,
    ) -> Result<Reply> {
        let mut pieces = self.files.tokenizer.stream(SpecialTokenText::Skip);
        let (mut text, mut token_ends) = (String::new(), Vec::new());
        for &token in said {
            text.push_str(&pieces.push(token)?.unwrap_or_default());
            token_ends.push(text.len());
        }
        text.push_str(&pieces.finish()?.unwrap_or_default());
        if let Some(last) = token_ends.last_mut() {
            *last = text.len();
        }
        Ok(Reply {
            text,
            token_ends,
            begins_in_block: leaves_block_open(&told.prompt),
            template_thinks: self.variants[variant].template().traits().thinks,
            finish,
            distinct_3: distinct_3(said),
        })
    }

    /// Takes the next question until there is none, and sends its reply.
    fn work(
        &self,
        variant: usize,
        asked: &[Asked<'_>],
        next: &AtomicUsize,
        stop: &StopFlag,
        replies: &Sender<Result<Given>>,
    ) {
        while let Some(place) = Some(next.fetch_add(1, Ordering::Relaxed))
            && let Some(question) = asked.get(place)
        {
            let reply = self.reply(variant, question, stop);
            let given = reply.map(|reply| Given { place, reply });
            let failed = given.is_err();
            if replies.send(given).is_err() || failed {
                // The others end with the question they are at.
                next.store(asked.len(), Ordering::Relaxed);
            }
        }
    }
}

impl Answering for OneByOne<'_> {
    fn make_ready(&mut self, variant: usize, told: Told<'_>) -> Result<()> {
        let wanted = self.variants[variant].quantization;
        if self
            .backbone
            .as_ref()
            .is_some_and(|(form, _)| *form == wanted)
        {
            return Ok(());
        }
        // One at a time: the memory of the last is free before the next is loaded.
        self.backbone = None;
        let decoder = self.files.load_decoder_telling(wanted, told)?;
        self.backbone = Some((wanted, decoder));
        Ok(())
    }

    fn answer(
        &self,
        variant: usize,
        asked: &[Asked<'_>],
        stop: &StopFlag,
        given: &mut dyn FnMut(Given) -> Result<()>,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        let (sender, replies) = channel();
        std::thread::scope(|scope| {
            for _ in 0..asked.len().min(self.files.compute().answers_at_once()) {
                let (sender, next) = (sender.clone(), &next);
                std::thread::Builder::new()
                    .name("answers".to_owned())
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, move || {
                        self.work(variant, asked, next, stop, &sender)
                    })
                    .map_err(Error::io("start threads for", "answers"))?;
            }
            drop(sender);
            let mut outcome = Ok(());
            for reply in replies {
                let taken = reply.and_then(&mut *given);
                if outcome.is_ok() {
                    outcome = taken;
                }
            }
            outcome
        })
    }
}
