//! The Chat page: a model with several variants of it that answer the same question side by side, and
//! the conversations that were held.
//!
//! One worker holds one model; which adapter answers is said with each turn, so variants are switched
//! on and off without loading anything. A conversation is plain data that is kept after every change.

pub mod conversation;
pub mod kept;
pub mod links;
pub mod sampling;
pub mod session;
pub mod stored;

mod action;
mod asking;
mod hearing;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use self::action::ChatAction;

use self::conversation::{Conversation, Who};
use self::kept::Kept;
use self::sampling::Sampling;
use self::session::{Place, Session};
use super::Effect;
use super::settings::Settings;
use super::setup::BUILTIN;

/// What the names of its jobs begin with.
pub const JOBS: &str = "chat";
/// Adapters beside the base model.
pub const MOST_ADAPTERS: usize = 3;
/// Bytes of a message; longer than any context that is known.
pub const MOST_BYTES: usize = 4 << 20;

/// Who can answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Who.
    pub who: Who,
    /// Whether it does.
    pub answers: Answers,
}

/// Whether a variant answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// The next question, and those after it.
    Yes,
    /// Not at the moment.
    No,
}

/// What a run that trains means for a chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beside {
    /// None does.
    #[default]
    Nothing,
    /// Both share the processor.
    Slower,
    /// The run needs the device's memory.
    NotNow,
}

/// A question that is being changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Editing {
    /// Its exchange.
    pub place: usize,
    /// What it will be.
    pub text: String,
}

/// Why what is typed cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotSend {
    /// Nothing is typed.
    Nothing,
    /// Replies are still coming.
    Answering,
    /// No variant is switched on.
    Nobody,
    /// It is longer than any model reads.
    TooLong,
    /// A run needs the device.
    NotNow,
}

/// What is open beside the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The drawer with the sampler and the instructions.
    pub drawer: Shown,
    /// The list of conversations.
    pub list: Shown,
}

/// Whether something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Shown {
    fn other(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
        }
    }
}

/// The Chat page.
#[derive(Debug)]
pub struct Chat {
    /// The model, by what `--model` takes.
    pub model: String,
    /// A model's path as it is being typed.
    pub typed: String,
    /// What is searched for in the list of models.
    pub search: String,
    /// The worker's side.
    pub session: Session,
    /// Who can answer, the base model first.
    pub variants: Vec<Variant>,
    /// The conversation that is open.
    pub conversation: Conversation,
    /// The message that is being typed.
    pub draft: String,
    /// The question that is being changed.
    pub editing: Option<Editing>,
    /// How replies are drawn.
    pub sampling: Sampling,
    /// Replies whose reasoning is unfolded.
    pub unfolded: BTreeSet<Place>,
    /// What is open beside the conversation.
    pub view: View,
    /// The conversations on disk.
    pub kept: Kept,
    /// What a run that trains means for it.
    pub beside: Beside,
    device: String,
    was_opened: Shown,
}

impl Chat {
    /// The built-in model, not loaded, before an empty conversation.
    pub fn new(settings: &Settings) -> Self {
        Self {
            model: BUILTIN.to_owned(),
            typed: String::new(),
            search: String::new(),
            session: Session::default(),
            variants: vec![Variant {
                who: Who::Base,
                answers: Answers::Yes,
            }],
            conversation: Conversation::default(),
            draft: String::new(),
            editing: None,
            sampling: Sampling::default(),
            unfolded: BTreeSet::new(),
            view: View {
                drawer: Shown::No,
                list: Shown::Yes,
            },
            kept: Kept::new(settings),
            beside: Beside::Nothing,
            device: settings.device.clone(),
            was_opened: Shown::No,
        }
    }

    /// The page was opened. The first time its model is loaded: it is the one inside the program, which
    /// is small.
    pub fn opened(&mut self, effects: &mut Vec<Effect>) {
        self.kept.list(effects);
        if self.was_opened == Shown::No {
            self.was_opened = Shown::Yes;
            if self.beside != Beside::NotNow {
                self.load(effects);
            }
        }
    }

    /// Another device computes from the next load on.
    pub fn settings_changed(&mut self, settings: &Settings) {
        self.device.clone_from(&settings.device);
    }

    /// What a run that trains means for it has changed: one that needs the device's memory gets it.
    pub fn beside(&mut self, beside: Beside, now: f64, effects: &mut Vec<Effect>) {
        if self.beside != beside && beside == Beside::NotNow && self.session.is_on() {
            self.leave_replies(now, effects);
            self.session.free(effects);
        }
        self.beside = beside;
    }

    /// Those that answer the next question.
    pub fn answering(&self) -> impl Iterator<Item = &Who> {
        { self.variants.iter() }
            .filter(|variant| variant.answers == Answers::Yes)
            .map(|variant| &variant.who)
    }

    /// How many adapters there are beside the base model.
    pub fn adapters(&self) -> usize {
        { self.variants.iter() }
            .filter(|variant| variant.who != Who::Base)
            .count()
    }

    /// Tokens of the conversation, its last reply included; none where nobody has counted them.
    pub fn context_tokens(&self) -> Option<usize> {
        let last = self.conversation.exchanges.last()?;
        { last.replies.iter() }
            .filter_map(conversation::Reply::context_tokens)
            .max()
    }

    /// Whether what is typed can be sent.
    ///
    /// # Errors
    /// Why not.
    pub fn can_send(&self) -> Result<(), CannotSend> {
        self.can_ask(&self.draft)
    }

    /// Whether the question that is being changed can be sent.
    ///
    /// # Errors
    /// Why not.
    pub fn can_resend(&self) -> Result<(), CannotSend> {
        let text = self.editing.as_ref().map_or("", |editing| &editing.text);
        self.can_ask(text)
    }

    fn can_ask(&self, text: &str) -> Result<(), CannotSend> {
        let problem = if self.beside == Beside::NotNow {
            CannotSend::NotNow
        } else if self.conversation.is_open() {
            CannotSend::Answering
        } else if text.trim().is_empty() {
            CannotSend::Nothing
        } else if text.len() > MOST_BYTES {
            CannotSend::TooLong
        } else if self.answering().next().is_none() {
            CannotSend::Nobody
        } else {
            return Ok(());
        };
        Err(problem)
    }

    /// Takes what the user did.
    pub fn act(&mut self, action: ChatAction, now: f64, effects: &mut Vec<Effect>) {
        match action {
            ChatAction::Model(target) => self.choose_model(target, now, effects),
            ChatAction::TypeModel(typed) => self.typed = typed,
            ChatAction::UseTypedModel => {
                let target = self.typed.trim().to_owned();
                if !target.is_empty() {
                    self.typed.clear();
                    self.choose_model(target, now, effects);
                }
            }
            ChatAction::SearchModels(search) => self.search = search,
            ChatAction::Load => self.load(effects),
            ChatAction::LoadFor(path) => {
                self.leave_replies(now, effects);
                self.load_for(Some(path), effects);
                self.regenerate(now, effects);
            }
            ChatAction::Free => {
                self.leave_replies(now, effects);
                self.session.free(effects);
            }
            ChatAction::AddAdapter(who) => self.add_adapter(who),
            ChatAction::RemoveVariant(who) => {
                self.variants
                    .retain(|variant| variant.who == Who::Base || variant.who != who);
            }
            ChatAction::Switch(who) => {
                if let Some(variant) = self.variants.iter_mut().find(|variant| variant.who == who) {
                    variant.answers = match variant.answers {
                        Answers::Yes => Answers::No,
                        Answers::No => Answers::Yes,
                    };
                }
            }
            ChatAction::Draft(text) => self.draft = text,
            ChatAction::Send => self.send(now, effects),
            ChatAction::Stop => self.stop(now, effects),
            ChatAction::Regenerate => self.regenerate(now, effects),
            ChatAction::Edit(place) => self.edit(place),
            ChatAction::Edited(text) => {
                if let Some(editing) = &mut self.editing {
                    editing.text = text;
                }
            }
            ChatAction::Resend => self.resend(now, effects),
            ChatAction::LeaveAsItWas => self.editing = None,
            ChatAction::Unfold(place) => {
                if !self.unfolded.remove(&place) {
                    self.unfolded.insert(place);
                }
            }
            ChatAction::System(text) => self.conversation.system = text,
            ChatAction::Sample(field, text) => self.sampling.type_in(field, text),
            ChatAction::AsRecommended => self.sampling = Sampling::default(),
            ChatAction::Drawer => self.view.drawer = self.view.drawer.other(),
            ChatAction::List => self.view.list = self.view.list.other(),
            ChatAction::Kept(action) => self.in_list(action, now, effects),
            ChatAction::Link(target) => {
                if links::may_be_opened(&target) {
                    effects.push(Effect::OpenLink(target));
                }
            }
        }
    }

    fn choose_model(&mut self, target: String, now: f64, effects: &mut Vec<Effect>) {
        if target == self.model && self.session.is_on() {
            return;
        }
        self.leave_replies(now, effects);
        self.session.free(effects);
        if target != self.model {
            self.model = target;
            // Adapters belong to a model.
            self.variants.truncate(1);
            if let Some(base) = self.variants.first_mut() {
                base.answers = Answers::Yes;
            }
        }
        if self.beside != Beside::NotNow {
            self.load(effects);
        }
    }

    fn add_adapter(&mut self, who: Who) {
        let is_there = self.variants.iter().any(|variant| variant.who == who);
        if !is_there && who != Who::Base && self.adapters() < MOST_ADAPTERS {
            self.variants.push(Variant {
                who,
                answers: Answers::Yes,
            });
        }
    }
}
