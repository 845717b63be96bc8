//! One open chat with a worker: turns go in, replies come back piece by piece.

use std::io::{self, Write};

use serde::Serialize;
use stepladder_protocol::{
    AdapterChoice, ChatCommand, ChatMessage, ChatReady, ChatSummary, ChatTurn, Command, Event,
    FinishReason, Finished, JobId, JobRef, ReplyStats, SamplerSettings,
};

use super::failure::Failure;
use super::terminal::Style;
use super::{json_output, one_job};
use crate::link::WorkerProcess;
use crate::text::{count, rate, visible_lines};

/// A chat whose model is loaded.
pub struct ChatSession {
    worker: WorkerProcess,
    job: JobId,
    ready: ChatReady,
    open: bool,
    adapter: AdapterChoice,
    on_notice: Box<dyn Fn(&str)>,
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Exactly as the model said it.
    pub text: String,
    reasoning: String,
    answer: String,
    /// Its figures.
    pub stats: ReplyStats,
}

/// Where the pieces of a reply go while they come.
pub enum Sink {
    /// Standard output, as text.
    Text(Style),
    /// Standard output, as JSON.
    Json,
}

impl Sink {
    /// The process's standard output.
    pub fn stdout(json: bool) -> Self {
        if json {
            Self::Json
        } else {
            Self::Text(Style::of(&io::stdout()))
        }
    }

    fn piece(&self, text: &str, reasoning: bool) -> io::Result<()> {
        match self {
            Self::Json => json_output::write_line(&Event::Text {
                text: text.to_owned(),
                reasoning,
            }),
            Self::Text(style) => {
                let text = visible_lines(text);
                let text = if reasoning { style.dim(&text) } else { text };
                let mut output = io::stdout().lock();
                output.write_all(text.as_bytes())?;
                output.flush()
            }
        }
    }

    fn end(&self, text: &str) -> io::Result<()> {
        match self {
            Self::Text(_) if !text.ends_with('\n') => io::stdout().lock().write_all(b"\n"),
            _ => Ok(()),
        }
    }
}

impl ChatSession {
    /// Loads the model; takes the worker, which serves this chat alone.
    pub fn open(
        worker: WorkerProcess,
        command: ChatCommand,
        on_notice: Box<dyn Fn(&str)>,
    ) -> Result<Self, Failure> {
        let job = command.job.clone();
        worker.commands().send(&Command::Chat(command))?;
        loop {
            match worker.next_event().map(|line| line.event) {
                Some(Event::Notice { text }) => on_notice(&text),
                Some(Event::Ready(ready)) => {
                    return Ok(Self {
                        worker,
                        job,
                        ready,
                        open: true,
                        adapter: AdapterChoice::Opened,
                        on_notice,
                    });
                }
                Some(Event::Failed(report) | Event::Rejected(report)) => return Err(report.into()),
                Some(Event::Finished(_) | Event::Stopped { .. }) | None => {
                    return Err(one_job::unanswered());
                }
                Some(_) => {}
            }
        }
    }

    /// What is loaded.
    pub fn ready(&self) -> &ChatReady {
        &self.ready
    }

    /// Whether another turn can be asked for.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Lets another adapter answer the turns to come, or none.
    pub fn choose(&mut self, adapter: AdapterChoice) {
        self.adapter = adapter;
    }

    /// Asks for the next reply and hands its pieces on.
    pub fn reply(
        &mut self,
        messages: &[ChatMessage],
        settings: SamplerSettings,
        sink: &Sink,
    ) -> Result<Reply, Failure> {
        let turn = ChatTurn {
            job: self.job.clone(),
            messages: messages.to_vec(),
            settings,
            adapter: self.adapter.clone(),
        };
        self.worker.commands().send(&Command::ChatTurn(turn))?;
        let mut pieces = Pieces::default();
        loop {
            match self.worker.next_event().map(|line| line.event) {
                Some(Event::Text { text, reasoning }) => {
                    sink.piece(&text, reasoning)?;
                    pieces.add(&text, reasoning);
                }
                Some(Event::Notice { text }) => (self.on_notice)(&text),
                Some(Event::Reply(stats)) => {
                    sink.end(&pieces.text)?;
                    return Ok(pieces.reply(stats));
                }
                Some(Event::TurnFailed(report)) => return Err(report.into()),
                Some(Event::Failed(report) | Event::Rejected(report)) => {
                    self.open = false;
                    return Err(report.into());
                }
                Some(Event::Finished(_) | Event::Stopped { .. }) | None => {
                    self.open = false;
                    return Err(one_job::unanswered());
                }
                Some(_) => {}
            }
        }
    }

    /// Ends the chat.
    pub fn end(self) -> Result<ChatSummary, Failure> {
        let end = Command::ChatEnd(JobRef { job: self.job });
        match one_job::ask(&self.worker, &end)? {
            Finished::Chat(summary) => Ok(summary),
            _ => Err(one_job::unanswered()),
        }
    }
}

#[derive(Default)]
struct Pieces {
    text: String,
    reasoning: String,
    answer: String,
}

impl Pieces {
    fn add(&mut self, text: &str, reasoning: bool) {
        self.text.push_str(text);
        if reasoning {
            &mut self.reasoning
        } else {
            &mut self.answer
        }
        .push_str(text);
    }

    fn reply(self, stats: ReplyStats) -> Reply {
        let reasoning = self.reasoning.trim();
        let reasoning = reasoning.strip_prefix("<think>").unwrap_or(reasoning);
        let reasoning = reasoning.strip_suffix("</think>").unwrap_or(reasoning);
        Reply {
            text: self.text,
            reasoning: reasoning.trim().to_owned(),
            answer: self.answer.trim().to_owned(),
            stats,
        }
    }
}

#[derive(Serialize)]
struct ReplyEvent<'a> {
    event: &'a str,
    text: &'a str,
    reasoning: &'a str,
    answer: &'a str,
    #[serde(flatten)]
    stats: &'a ReplyStats,
}

impl Reply {
    /// What was said after the reasoning.
    pub fn answer(&self) -> String {
        self.answer.clone()
    }

    /// The reply as one JSON object with this event name.
    pub fn as_event<'a>(&'a self, event: &'a str) -> impl Serialize + 'a {
        ReplyEvent {
            event,
            text: &self.text,
            reasoning: &self.reasoning,
            answer: &self.answer,
            stats: &self.stats,
        }
    }

    /// `128 tokens, 90 of them reasoning · 41 tokens/s · cut off by --max-tokens`
    pub fn stats_line(&self) -> String {
        let ReplyStats {
            reasoning_tokens,
            total_tokens,
            finish,
            tokens_per_second,
            ..
        } = self.stats;
        let mut line = count(total_tokens, "token", "tokens");
        if reasoning_tokens > 0 {
            line.push_str(&format!(", {reasoning_tokens} of them reasoning"));
        }
        if let Some(tokens) = tokens_per_second {
            line.push_str(&format!(" · {} tokens/s", rate(tokens)));
        }
        match finish {
            FinishReason::Stop => {}
            FinishReason::Length => line.push_str(" · cut off by its length limit"),
            FinishReason::Cancelled => line.push_str(" · stopped"),
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(finish: FinishReason) -> Reply {
        let mut pieces = Pieces::default();
        pieces.add("<think>\n2 and 2", true);
        pieces.add("\n</think>", true);
        pieces.add("\n\n4", false);
        let tokens_per_second = Some(41.4);
        pieces.reply(ReplyStats {
            reasoning_tokens: 9,
            total_tokens: 12,
            finish,
            tokens_per_second,
            reasoning_secs: None,
            prompt_tokens: 0,
            context_length: 0,
        })
    }

    #[test]
    fn a_reply_is_kept_whole_and_in_its_parts() {
        let reply = reply(FinishReason::Stop);
        assert_eq!(reply.text, "<think>\n2 and 2\n</think>\n\n4");
        assert_eq!(reply.reasoning, "2 and 2");
        assert_eq!(reply.answer(), "4");
        assert_eq!(
            serde_json::to_string(&reply.as_event("finished")).unwrap(),
            concat!(
                r#"{"event":"finished","text":"<think>\n2 and 2\n</think>\n\n4","#,
                r#""reasoning":"2 and 2","answer":"4","reasoning_tokens":9,"total_tokens":12,"#,
                r#""finish":"stop","tokens_per_second":41.4}"#
            )
        );
    }

    #[test]
    fn figures_of_a_reply_are_one_line() {
        assert_eq!(
            reply(FinishReason::Stop).stats_line(),
            "12 tokens, 9 of them reasoning · 41 tokens/s"
        );
        assert!(
            reply(FinishReason::Length)
                .stats_line()
                .ends_with(" · cut off by its length limit")
        );
        assert!(
            reply(FinishReason::Cancelled)
                .stats_line()
                .ends_with(" · stopped")
        );
    }
}
