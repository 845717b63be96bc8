//! Asking for replies: sending, regenerating, changing a question, stopping.

use std::path::PathBuf;

use stepladder_protocol::{ChatTurn, Command, ErrorReport};

use super::conversation::{Exchange, Reply, Who};
use super::{Beside, Chat, Editing, MOST_BYTES};
use crate::state::Effect;
use crate::words::chat as words;

impl Chat {
    /// Loads the model, unless it is there.
    pub(super) fn load(&mut self, effects: &mut Vec<Effect>) {
        if !self.session.is_on() && self.beside != Beside::NotNow {
            let again_for = self.session.loaded_for.clone();
            let is_here = |path: &PathBuf| {
                { self.variants.iter() }.any(
                    |variant| matches!(&variant.who, Who::Adapter { path: own, .. } if own == path),
                )
            };
            self.load_for(again_for.filter(is_here), effects);
        }
    }

    /// Loads the model with its weights in the form that an adapter was trained beside.
    pub(super) fn load_for(&mut self, adapter: Option<PathBuf>, effects: &mut Vec<Effect>) {
        let (model, device) = (self.model.clone(), self.device.clone());
        self.session.load(&model, adapter, &device, effects);
    }

    /// Sends what is typed.
    pub(super) fn send(&mut self, now: f64, effects: &mut Vec<Effect>) {
        if self.can_send().is_ok() {
            let question = std::mem::take(&mut self.draft);
            self.ask_anew(question.trim().to_owned(), now, effects);
        }
    }

    /// Begins to change a question.
    pub(super) fn edit(&mut self, place: usize) {
        if let Some(exchange) = self.conversation.exchanges.get(place)
            && !self.conversation.is_open()
        {
            self.editing = Some(Editing {
                place,
                text: exchange.question.clone(),
            });
        }
    }

    /// Sends the question that was changed; it and what follows were never asked.
    pub(super) fn resend(&mut self, now: f64, effects: &mut Vec<Effect>) {
        if self.can_resend().is_ok()
            && let Some(Editing { place, text }) = self.editing.take()
        {
            self.conversation.exchanges.truncate(place);
            self.unfolded.retain(|(exchange, _)| *exchange < place);
            self.ask_anew(text.trim().to_owned(), now, effects);
        }
    }

    /// Lets the last question be answered anew, by those that answer now.
    pub(super) fn regenerate(&mut self, now: f64, effects: &mut Vec<Effect>) {
        let is_possible = !self.conversation.is_open()
            && self.beside != Beside::NotNow
            && self.answering().next().is_some();
        if is_possible && let Some(last) = self.conversation.exchanges.pop() {
            let place = self.conversation.exchanges.len();
            self.unfolded.retain(|(exchange, _)| *exchange < place);
            self.editing = None;
            self.ask_anew(last.question, now, effects);
        }
    }

    fn ask_anew(&mut self, question: String, now: f64, effects: &mut Vec<Effect>) {
        self.load(effects);
        let replies = self.answering().cloned().map(Reply::asked_of).collect();
        let exchange = Exchange { question, replies };
        self.conversation.exchanges.push(exchange);
        self.conversation.model.clone_from(&self.model);
        self.conversation.settings = self.sampling.settings();
        self.ask_for_replies(effects);
        self.keep(now, effects);
    }

    fn ask_for_replies(&mut self, effects: &mut Vec<Effect>) {
        let last = self.conversation.exchanges.len().saturating_sub(1);
        let turns: Vec<_> = { self.answering() }
            .map(|who| ChatTurn {
                job: self.session.job(),
                messages: self.conversation.messages(who, last),
                settings: self.conversation.settings.clone(),
                adapter: who.choice(),
            })
            .collect();
        for (column, turn) in turns.into_iter().enumerate() {
            let bytes: usize = { turn.messages.iter() }
                .map(|message| message.content.len())
                .sum();
            if bytes > MOST_BYTES {
                self.fail_reply((last, column), words::conversation_too_long());
            } else {
                let turn = Command::ChatTurn(turn);
                self.session.ask(turn, (last, column), effects);
            }
        }
    }

    /// Cuts the replies short that come. While the model is being loaded nothing of them is there, and
    /// nobody waits for it.
    pub(super) fn stop(&mut self, now: f64, effects: &mut Vec<Effect>) {
        match self.session.ready() {
            Some(_) => self.session.interrupt(effects),
            None => self.leave_replies(now, effects),
        }
    }

    /// Ends the replies that come where they are, at once: something else is looked at.
    pub(super) fn leave_replies(&mut self, now: f64, effects: &mut Vec<Effect>) {
        self.session.interrupt(effects);
        self.session.leave();
        if self.conversation.is_open() {
            let replies = { self.conversation.exchanges.iter_mut() }
                .flat_map(|exchange| exchange.replies.iter_mut());
            replies.for_each(Reply::leave);
            self.keep(now, effects);
        }
    }

    /// A reply will not come.
    pub(super) fn fail_reply(&mut self, (exchange, column): super::Place, problem: ErrorReport) {
        if let Some(reply) = self.reply((exchange, column)) {
            reply.fail(problem);
        }
    }

    pub(super) fn reply(&mut self, (exchange, column): super::Place) -> Option<&mut Reply> {
        { self.conversation.exchanges.get_mut(exchange) }
            .and_then(|exchange| exchange.replies.get_mut(column))
    }
}
