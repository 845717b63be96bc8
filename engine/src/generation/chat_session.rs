//! A loaded model with its adapter, answering conversations.

mod prefills;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

use self::prefills::{Numbered, Prefills};
use super::generator::AdapterInUse;
use super::reasoning::{ReasoningTracker, Stretch, split_reply};
use super::sampler::{Sampler, SamplerSettings};
use crate::adapters::adapter_folder::{self, Adapter};
use crate::models::chat_template::{ChosenTemplate, Dialog, GenerationPrompt, Message, Role};
use crate::models::compute::Compute;
use crate::models::decoder::Decoder;
use crate::models::model::ModelFiles;
use crate::models::quantization::BackboneQuantization;
use crate::models::tokenizer::SpecialTokenText;
use crate::training::stop_flag::StopFlag;
use crate::{Error, Result};

/// A stretch of a reply. All texts joined are the reply exactly as the model said it.
#[derive(Clone, Copy, Debug)]
pub struct ChatPiece<'a> {
    /// The text.
    pub text: &'a str,
    /// Whether it is reasoning, the markers around it included.
    pub is_reasoning: bool,
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it.
    Stop,
    /// It reached its limit.
    Length,
    /// The stop flag was raised.
    Cancelled,
}

/// Figures of a reply.
#[derive(Clone, Debug)]
pub struct ReplyStats {
    /// Tokens before the closing think marker; 0 without a think block.
    pub reasoning_tokens: usize,
    /// All tokens, the one that ended the reply not counted.
    pub total_tokens: usize,
    /// Why it ended.
    pub finish: FinishReason,
    /// Rate of saying tokens, the prompt not counted.
    pub tokens_per_second: f64,
    /// Seconds from the first token to the end of the reasoning; none without a think block.
    pub reasoning_secs: Option<f64>,
    /// Tokens of the conversation before the reply.
    pub prompt_tokens: usize,
    /// Tokens of conversation and reply that the model can hold.
    pub context_length: usize,
}

/// What is loaded.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// The model's name.
    pub model: String,
    /// The adapter's method.
    pub adapter: Option<String>,
    /// What it computes on, in words.
    pub device: String,
    /// The model's context length.
    pub context_length: usize,
    /// What the user should know, such as an adapter made for the model in another type.
    pub notices: Vec<String>,
}

/// A model that answers.
pub struct ChatSession {
    files: ModelFiles,
    backbone: Decoder,
    /// How the backbone's weights are kept.
    quantization: BackboneQuantization,
    opened_with: Option<LoadedAdapter>,
    /// Loaded since, the one used last at the end.
    others: Vec<(PathBuf, LoadedAdapter)>,
    choice: AdapterChoice,
    /// Adapters loaded so far.
    loaded: usize,
    prefills: RefCell<Prefills>,
}

/// An adapter with the template it was trained with.
struct LoadedAdapter {
    /// Counts the adapters of a session.
    number: usize,
    adapter: Adapter,
    template: ChosenTemplate,
}

impl LoadedAdapter {
    fn in_use(&self) -> Numbered<'_> {
        let Adapter {
            network, config, ..
        } = &self.adapter;
        (self.number, AdapterInUse::new(network, config.tap_dtype))
    }

    fn read(path: &Path, files: &ModelFiles, number: usize) -> Result<Self> {
        let adapter = adapter_folder::load(path, &files.fingerprint(), &files.config)?;
        let adapter = adapter.computing_on(files.compute())?;
        let source = adapter.config.chat_template.as_deref();
        let template = files.template_of_adapter(path, source, &adapter.config.stop_tokens)?;
        Ok(Self {
            number,
            adapter,
            template,
        })
    }
}

/// Which adapter answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The one that the session was opened with, if any.
    #[default]
    Opened,
    /// None: the base model.
    Base,
    /// That of a run folder or adapter folder.
    At(PathBuf),
}

/// Adapters kept beside the first; the one not used for longest is dropped.
const KEPT_ADAPTERS: usize = 4;

impl ChatSession {
    /// Loads a model, and an adapter from its run folder or adapter folder.
    ///
    /// # Errors
    /// When either cannot be used, or they do not belong together.
    pub fn open(model: &str, adapter: Option<&Path>, compute: Compute) -> Result<Self> {
        let files = ModelFiles::open(model)?.computing_on(compute);
        // The adapter is small and most mistakes are in its choice: check it before the weights.
        let adapter = match adapter {
            Some(path) => Some(LoadedAdapter::read(path, &files, 0)?),
            None => {
                files.template()?;
                None
            }
        };
        // What an adapter was trained beside is what it is used beside.
        let quantization = adapter
            .as_ref()
            .map_or(BackboneQuantization::AS_STORED, |loaded| {
                loaded.adapter.config.quantization
            });
        let backbone = files.load_decoder(quantization)?;
        Ok(Self {
            files,
            backbone,
            quantization,
            opened_with: adapter,
            others: Vec::new(),
            choice: AdapterChoice::Opened,
            loaded: 1,
            prefills: RefCell::default(),
        })
    }

    /// Lets another adapter answer from now on, or none. The backbone stays as it is.
    ///
    /// # Errors
    /// When the adapter cannot be used, or was trained beside a backbone kept in another form; the
    /// one before then stays chosen.
    pub fn choose(&mut self, choice: &AdapterChoice) -> Result<()> {
        if let AdapterChoice::At(path) = choice {
            let known = self.others.iter().position(|(other, _)| other == path);
            let entry = match known {
                Some(place) => self.others.remove(place),
                None => (path.clone(), self.load(path)?),
            };
            self.others.push(entry);
            let surplus = self.others.len().saturating_sub(KEPT_ADAPTERS);
            self.others.drain(..surplus);
        }
        self.choice = choice.clone();
        Ok(())
    }

    fn load(&mut self, path: &Path) -> Result<LoadedAdapter> {
        let loaded = LoadedAdapter::read(path, &self.files, self.loaded)?;
        self.loaded += 1;
        if loaded.adapter.config.quantization == self.quantization {
            return Ok(loaded);
        }
        Err(Error::ConfigInvalid {
            field: "adapter",
            problem: format!(
                "{} was trained beside a backbone kept in another form than this chat has it",
                path.display()
            ),
            hint: "open a chat of its own for it".to_owned(),
        })
    }

    /// The adapter that answers.
    fn loaded(&self) -> Option<&LoadedAdapter> {
        match &self.choice {
            AdapterChoice::Opened => self.opened_with.as_ref(),
            AdapterChoice::Base => None,
            AdapterChoice::At(_) => self.others.last().map(|(_, loaded)| loaded),
        }
    }

    fn adapter(&self) -> Option<&Adapter> {
        self.loaded().map(|loaded| &loaded.adapter)
    }

    /// What is loaded.
    pub fn info(&self) -> SessionInfo {
        let method = self
            .adapter()
            .map(|adapter| adapter.config.method().name().to_owned());
        SessionInfo {
            model: self.files.origin.display().to_string(),
            adapter: method,
            device: self.files.compute().in_words(),
            context_length: self.files.config.max_positions,
            notices: self
                .adapter()
                .iter()
                .filter_map(|adapter| adapter.warning.clone())
                .collect(),
        }
    }

    /// Answers the last of the messages (role and content). What it read of them is kept: another
    /// variant that is asked the same, and the next turn, go on from there.
    ///
    /// # Errors
    /// When the template refuses the messages or they leave no room for an answer.
    pub fn reply(
        &self,
        messages: &[(&str, &str)],
        settings: &SamplerSettings,
        stop: &StopFlag,
        on_text: &mut dyn FnMut(ChatPiece<'_>),
    ) -> Result<ReplyStats> {
        let messages = messages
            .iter()
            .map(|&(role, content)| message(role, content))
            .collect::<Result<Vec<_>>>()?;
        // What an adapter was trained with is what it is used with.
        let (template, further_stops) = match self.loaded() {
            Some(LoadedAdapter { template, .. }) => {
                (&template.template, template.stop_tokens.as_slice())
            }
            None => (self.files.template()?, [].as_slice()),
        };
        let prompt = template.render(&Dialog::new(&messages), GenerationPrompt::Assistant)?;
        let ids = self.files.tokenizer.encode(&prompt)?.ids;
        let context = self.files.config.max_positions;
        if ids.is_empty() || ids.len() >= context {
            return Err(Error::ConfigInvalid {
                field: "messages",
                problem: format!(
                    "the conversation has {} tokens, the model's context holds {context}",
                    ids.len()
                ),
                hint: "shorten the message, remove earlier ones, or start a new conversation"
                    .to_owned(),
            });
        }
        let room = context - ids.len();
        let limit = settings.max_tokens.map_or(room, |limit| limit.min(room));
        let tokenizer = &self.files.tokenizer;
        let mut sampler = Sampler::new(settings, tokenizer.generation_defaults());
        let others = self.others.iter().map(|(_, loaded)| loaded);
        let adapters: Vec<Numbered<'_>> = { self.opened_with.iter() }
            .chain(others)
            .map(LoadedAdapter::in_use)
            .collect();
        let chosen = self.loaded().map(LoadedAdapter::in_use);
        let (mut generator, mut logits) =
            { self.prefills.borrow_mut() }.take_in(&self.backbone, &adapters, chosen, &ids)?;
        let started = Instant::now();
        let mut reasoning_secs = None;
        let mut tracker = ReasoningTracker::new(&prompt);
        let mut text = tokenizer.stream(SpecialTokenText::Skip);
        let mut hand_on = |stretches: Vec<Stretch>| {
            for Stretch { text, is_reasoning } in &stretches {
                if *is_reasoning {
                    reasoning_secs = Some(started.elapsed().as_secs_f64());
                }
                on_text(ChatPiece {
                    text,
                    is_reasoning: *is_reasoning,
                });
            }
        };
        let mut said = Vec::new();
        let finish = loop {
            if said.len() == limit {
                break FinishReason::Length;
            }
            if stop.is_raised() {
                break FinishReason::Cancelled;
            }
            let token = sampler.sample(&logits, &said)?;
            if tokenizer.stop_tokens().contains(&token) || further_stops.contains(&token) {
                break FinishReason::Stop;
            }
            said.push(token);
            hand_on(tracker.push(text.push(token)?.as_deref()));
            if said.len() < limit {
                logits = generator.push(&[token])?;
            }
        };
        hand_on(tracker.finish(text.finish()?.as_deref()));
        Ok(ReplyStats {
            reasoning_tokens: tracker.reasoning_tokens(),
            total_tokens: said.len(),
            finish,
            tokens_per_second: said.len() as f64 / started.elapsed().as_secs_f64().max(1e-9),
            reasoning_secs,
            prompt_tokens: ids.len(),
            context_length: context,
        })
    }
}

fn message(role: &str, content: &str) -> Result<Message> {
    let role = Role::from_name(role).ok_or_else(|| Error::ConfigInvalid {
        field: "messages",
        problem: format!("{role:?} is no role"),
        hint: "use system, user or assistant".to_owned(),
    })?;
    if role != Role::Assistant {
        return Ok(Message::new(role, content));
    }
    let (reasoning, answer) = split_reply(content);
    Ok(Message {
        reasoning: reasoning.map(str::to_owned),
        ..Message::new(role, answer)
    })
}

#[cfg(test)]
mod tests;
