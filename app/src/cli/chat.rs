//! `stepladder chat`: one answer with `--prompt`, otherwise a conversation.
//!
//! Standard output gets what the model says, exactly as it says it, reasoning markers included; all
//! else goes to standard error.

use std::io::{BufRead, IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;
use stepladder_protocol::{
    AdapterChoice, ChatCommand, ChatMessage, ChatSummary, Command, ErrorReport, Event,
    FinishReason, Finished, JobId, JobRef, Role, SamplerSettings,
};

use super::chat_session::{ChatSession, Reply, Sink};
use super::common::{CommonOptions, at_least_one};
use super::failure::{Failure, Outcome};
use super::interrupt::{Reaction, on_interrupt};
use super::sampler_options::SamplerOptions;
use super::terminal::Terminal;
use super::{config_file, json_output};
use crate::text::visible;

/// Flags of `chat`.
#[derive(Args, Clone, Debug, Default)]
pub struct ChatOptions {
    /// `builtin`, a model folder or a .gguf file [default: the adapter's, or builtin]
    #[arg(long)]
    model: Option<String>,
    /// A run folder whose adapter is put on the model
    #[arg(long, value_name = "RUN")]
    adapter: Option<PathBuf>,
    /// Answer this and end, instead of a conversation
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Instructions that stand above the conversation
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    #[command(flatten)]
    sampler: SamplerOptions,
    /// Seed of the draw, to get the same reply again [default: another each time]
    #[arg(long, value_name = "N", help_heading = "Sampling")]
    seed: Option<u64>,
    /// Tokens after which a reply is cut off [default: what the context holds]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Sampling")]
    max_tokens: Option<usize>,

    #[command(flatten)]
    common: CommonOptions,
}

impl ChatOptions {
    fn settings(&self) -> SamplerSettings {
        self.sampler.settings(self.seed, self.max_tokens)
    }

    /// The model: as given, or the one the adapter's run was trained on, or the built-in one.
    fn model(&self) -> Result<String, Failure> {
        config_file::model_or_that_of(self.model.as_deref(), self.adapter.as_deref())
    }
}

/// Chats.
pub fn run(options: &ChatOptions, terminal: &Terminal) -> Result<Outcome, Failure> {
    let outcome = chat(options, terminal);
    options.common.tell_failure(outcome)
}

/// Replies that are being given, as the Ctrl-C handler sees them: 0 or 1.
type Replying = Arc<AtomicUsize>;

fn chat(options: &ChatOptions, terminal: &Terminal) -> Result<Outcome, Failure> {
    let job = JobId::new("chat");
    let command = ChatCommand {
        job: job.clone(),
        model: options.model()?,
        adapter: options
            .adapter
            .as_deref()
            .map(std::path::absolute)
            .transpose()?,
        device: options
            .common
            .device
            .clone()
            .unwrap_or_else(|| "auto".to_owned()),
    };
    let worker = options.common.start_worker(terminal)?;
    let replying = Replying::default();
    {
        let (job, replying) = (job.clone(), Arc::clone(&replying));
        let commands = worker.commands().clone();
        on_interrupt(worker.commands().clone(), move |_| {
            // The first Ctrl-C in a reply cuts it short; any other ends the program.
            let interrupt = Command::ChatInterrupt(JobRef { job: job.clone() });
            let first = replying.swap(0, Ordering::AcqRel) > 0;
            if first && commands.send(&interrupt).is_ok() {
                Reaction::GoOn
            } else {
                Reaction::Exit
            }
        })?;
    }
    terminal.status("loading the model…");
    let notes = terminal.clone();
    let on_notice = move |notice: &str| {
        notes.note(notice);
    };
    let session = ChatSession::open(worker, command, Box::new(on_notice))?;
    terminal.clear_status();
    match &options.prompt {
        Some(prompt) => one_answer(session, options, prompt, &replying, terminal),
        None => conversation(session, options, &replying, terminal),
    }
}

fn first_messages(options: &ChatOptions) -> Vec<ChatMessage> {
    let system = |content: &String| ChatMessage {
        role: Role::System,
        content: content.clone(),
    };
    options.system.iter().map(system).collect()
}

fn reply(
    session: &mut ChatSession,
    messages: &[ChatMessage],
    options: &ChatOptions,
    replying: &Replying,
    sink: &Sink,
) -> Result<Reply, Failure> {
    replying.store(1, Ordering::Release);
    let reply = session.reply(messages, options.settings(), sink);
    replying.store(0, Ordering::Release);
    reply
}

fn one_answer(
    mut session: ChatSession,
    options: &ChatOptions,
    prompt: &str,
    replying: &Replying,
    terminal: &Terminal,
) -> Result<Outcome, Failure> {
    let mut messages = first_messages(options);
    messages.push(ChatMessage {
        role: Role::User,
        content: prompt.to_owned(),
    });
    let sink = Sink::stdout(options.common.json);
    let reply = reply(&mut session, &messages, options, replying, &sink)?;
    session.end()?;
    if options.common.json {
        json_output::write_line(&reply.as_event("finished"))?;
    } else {
        terminal.line(&terminal.style.dim(&reply.stats_line()));
    }
    let cancelled = reply.stats.finish == FinishReason::Cancelled;
    Ok(if cancelled {
        Outcome::Interrupted
    } else {
        Outcome::Done
    })
}

fn conversation(
    mut session: ChatSession,
    options: &ChatOptions,
    replying: &Replying,
    terminal: &Terminal,
) -> Result<Outcome, Failure> {
    let people = stdin().is_terminal();
    if people {
        let ready = session.ready();
        let adapter = ready
            .adapter
            .as_deref()
            .map(|a| format!(" with {}", visible(a)));
        terminal.line(&format!(
            "{}{} · {}",
            visible(model_name(&ready.model)),
            adapter.unwrap_or_default(),
            visible(&ready.device)
        ));
        terminal.line(
            &terminal
                .style
                .dim("/reset starts over, /adapter RUN or /base lets another answer, /quit ends, Ctrl-C stops a reply"),
        );
    }
    let mut messages = first_messages(options);
    let sink = Sink::stdout(options.common.json);
    let mut line = String::new();
    loop {
        if people {
            terminal.prompt("> ");
        }
        line.clear();
        if stdin()
            .lock()
            .read_line(&mut line)
            .map_err(unreadable_input)?
            == 0
        {
            break;
        }
        match line.trim() {
            "" => {}
            "/quit" | "/exit" => break,
            "/reset" => messages = first_messages(options),
            "/base" => session.choose(AdapterChoice::Base),
            "/adapter" => session.choose(AdapterChoice::Opened),
            command if command.starts_with("/adapter ") => {
                let path = std::path::absolute(command["/adapter ".len()..].trim())?;
                session.choose(AdapterChoice::At(path));
            }
            said => {
                messages.push(ChatMessage {
                    role: Role::User,
                    content: said.to_owned(),
                });
                answer(
                    &mut session,
                    &mut messages,
                    options,
                    replying,
                    &sink,
                    terminal,
                )?;
            }
        }
    }
    let summary: ChatSummary = session.end()?;
    if options.common.json {
        json_output::write_line(&Event::Finished(Finished::Chat(summary)))?;
    }
    Ok(Outcome::Done)
}

/// Answers the last message, or takes it back where it cannot be answered.
fn answer(
    session: &mut ChatSession,
    messages: &mut Vec<ChatMessage>,
    options: &ChatOptions,
    replying: &Replying,
    sink: &Sink,
    terminal: &Terminal,
) -> Result<(), Failure> {
    match reply(session, messages, options, replying, sink) {
        Ok(reply) => {
            if options.common.json {
                json_output::write_line(&reply.as_event("reply"))?;
            } else {
                terminal.line(&terminal.style.dim(&reply.stats_line()));
            }
            // Chat templates leave earlier reasoning out; so does the history here.
            messages.push(ChatMessage {
                role: Role::Assistant,
                content: reply.answer(),
            });
            Ok(())
        }
        Err(failure) if session.is_open() => {
            messages.pop();
            if options.common.json
                && let Some(report) = &failure.report
            {
                json_output::write_line(&Event::TurnFailed(report.clone()))?;
            }
            terminal.failure(&failure);
            Ok(())
        }
        Err(failure) => Err(failure),
    }
}

/// The last part of a path; a name stays as it is.
fn model_name(model: &str) -> &str {
    Path::new(model)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(model)
}

fn unreadable_input(error: std::io::Error) -> Failure {
    let message = format!("standard input cannot be read: {error}");
    ErrorReport::new("input", message, "send text in UTF-8, one message per line").into()
}
