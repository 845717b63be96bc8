//! The questions of a comparison: from a file, from inside the program, or what a run held out.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stepladder_protocol::DataOptions;

use crate::datasets::conversation::{Chat, Message, Role, Sample};
use crate::datasets::formats::{DETECTION_ROWS, detect};
use crate::datasets::reader::{DataSource, RowReader, find_sources};
use crate::datasets::row::{Fields, Row};
use crate::generation::reasoning::split_reply;
use crate::{Error, Result};

static BUILTIN: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../assets/questions.jsonl"
));

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The conversation, its last message the one to answer.
    pub messages: Vec<Message>,
    /// The tools that may be called.
    pub tools: Option<Value>,
    /// What it should be answered.
    pub reference: Option<String>,
    /// A number that depends on what is asked alone.
    pub key: u64,
}

impl Question {
    fn new(messages: Vec<Message>, tools: Option<Value>, reference: Option<String>) -> Self {
        Self {
            key: key(&messages),
            messages,
            tools,
            reference: reference.filter(|text| !text.trim().is_empty()),
        }
    }

    fn of_text(question: String, reference: Option<String>) -> Self {
        let messages = vec![Message::new(Role::User, question)];
        Self::new(messages, None, reference)
    }

    /// What is asked in a conversation: everything before its last answer, which is the reference.
    pub fn of_chat(chat: Chat) -> Option<Self> {
        let Chat {
            mut messages,
            tools,
        } = chat;
        let last = { messages.iter() }.rposition(|message| message.role == Role::Assistant)?;
        let answer = messages.swap_remove(last).content;
        messages.truncate(last);
        let is_asked = messages.iter().any(|message| message.role == Role::User);
        let (_, reference) = split_reply(&answer);
        is_asked.then(|| Self::new(messages, tools, Some(reference.to_owned())))
    }

    /// The question for people: the message, or the turns of a longer conversation.
    pub fn text(&self) -> String {
        match &self.messages[..] {
            [only] => only.content.clone(),
            turns => {
                let turn = |turn: &Message| format!("{}: {}", turn.role.name(), turn.content);
                turns.iter().map(turn).collect::<Vec<_>>().join("\n\n")
            }
        }
    }
}

/// A number that depends on what was asked alone: on what user, assistant and tools said, not on how
/// their words are spaced.
fn key(messages: &[Message]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for message in messages
        .iter()
        .filter(|message| message.role != Role::System)
    {
        hasher.update(message.role.name().as_bytes());
        let (_, said) = split_reply(&message.content);
        for word in said.split_whitespace() {
            hasher.update(b" ");
            hasher.update(word.as_bytes());
        }
        hasher.update(b"\n");
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// The keys of every question that a conversation answers: that of each of its answers.
pub fn answered_keys(sample: &Sample, into: &mut HashSet<u64>) {
    if let Sample::Chat(chat) = sample {
        let turns = chat.messages.iter().enumerate();
        let answers = turns.filter(|(_, turn)| turn.role == Role::Assistant);
        into.extend(answers.map(|(place, _)| key(&chat.messages[..place])));
    }
}

/// Names of columns that hold a question, and of those that hold its answer, the most telling first.
const QUESTIONS: [&str; 7] = [
    "question",
    "problem",
    "prompt",
    "query",
    "instruction",
    "input",
    "frage",
];
const ANSWERS: [&str; 10] = [
    "answer",
    "final_answer",
    "reference",
    "expected",
    "target",
    "solution",
    "response",
    "completion",
    "output",
    "antwort",
];

/// Questions of a file, and how many of its rows are none.
#[derive(Debug, Default)]
pub struct QuestionFile {
    /// The questions in their order.
    pub questions: Vec<Question>,
    /// Rows without one.
    pub skipped: usize,
    /// The file, or a name for it.
    pub name: String,
}

/// The questions inside the program.
///
/// # Errors
/// Never, as long as the file in it is whole.
pub fn builtin() -> Result<QuestionFile> {
    let source = DataSource::Memory {
        name: "builtin questions",
        bytes: BUILTIN.into(),
    };
    read(&[source], "the built-in questions")
}

/// The questions of a file or folder; `builtin` names those inside the program.
///
/// # Errors
/// When it cannot be read, or holds none.
pub fn from_files(data: &str) -> Result<QuestionFile> {
    if data == "builtin" {
        return builtin();
    }
    let path = Path::new(data);
    let name = path.file_name().map_or_else(
        || data.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    read(&find_sources(&[path])?.sources, &name)
}

fn read(sources: &[DataSource], name: &str) -> Result<QuestionFile> {
    let mut file = QuestionFile {
        name: name.to_owned(),
        ..QuestionFile::default()
    };
    for source in sources {
        read_source(source, &mut file)?;
    }
    if file.questions.is_empty() {
        let path = sources
            .first()
            .map_or_else(PathBuf::new, |source| source.path().to_path_buf());
        let problem = match file.skipped {
            0 => "the file holds no questions".to_owned(),
            rows => format!("none of the {rows} rows holds a question"),
        };
        return Err(Error::DatasetEmpty {
            path,
            problem,
            hint: "write one row per question: {\"question\": ..., \"answer\": ...}, the answer only if \
                   it is known; or any format that `train` reads, but no text without turns"
                .to_owned(),
        });
    }
    Ok(file)
}

fn read_source(source: &DataSource, file: &mut QuestionFile) -> Result<()> {
    let mut reader = RowReader::open(source)?;
    let mut first: Vec<Fields> = Vec::new();
    let mut rows: Vec<Option<Fields>> = Vec::new();
    while let Some(row) = reader.next_row()? {
        let fields = Row::into_fields(row).ok();
        if let Some(fields) = fields.as_ref().filter(|_| first.len() < DETECTION_ROWS) {
            first.push(fields.clone());
        }
        rows.push(fields);
    }
    // A file of questions alone is of no format, and that is well.
    let detection = detect(&first, &DataOptions::default()).ok();
    for fields in rows {
        let question = fields.and_then(|fields| {
            let parsed = { detection.as_ref() }
                .and_then(|detection| detection.parse(fields.clone()).ok())
                .and_then(of_sample);
            parsed.or_else(|| of_columns(&fields))
        });
        match question {
            Some(question) => file.questions.push(question),
            None => file.skipped += 1,
        }
    }
    Ok(())
}

fn of_sample(sample: Sample) -> Option<Question> {
    match sample {
        Sample::Chat(chat) => Question::of_chat(chat),
        Sample::Text(_) => None,
    }
}

/// Of a row that no format takes, such as one without an answer.
fn of_columns(fields: &Fields) -> Option<Question> {
    let text = |names: &[&str]| {
        names.iter().find_map(|name| {
            let column = fields
                .keys()
                .find(|column| column.trim().eq_ignore_ascii_case(name))?;
            let text = match fields.get(column)? {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            (!text.trim().is_empty()).then_some(text)
        })
    };
    Some(Question::of_text(text(&QUESTIONS)?, text(&ANSWERS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, content: &str) -> Result<QuestionFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        from_files(path.to_str().unwrap())
    }

    fn asked(name: &str, content: &str) -> Vec<(String, Option<String>)> {
        let file = file(name, content).unwrap();
        let pair = |question: Question| (question.text(), question.reference);
        file.questions.into_iter().map(pair).collect()
    }

    fn pair(question: &str, reference: Option<&str>) -> (String, Option<String>) {
        (question.to_owned(), reference.map(str::to_owned))
    }

    #[test]
    fn files_may_have_answers_or_not() {
        let both = "{\"question\":\"a?\",\"answer\":\"1\"}\n{\"question\":\"b?\",\"answer\":2}\n";
        assert_eq!(
            asked("q.jsonl", both),
            [pair("a?", Some("1")), pair("b?", Some("2"))]
        );
        assert_eq!(
            asked("q.jsonl", "{\"question\":\"a?\"}\n"),
            [pair("a?", None)]
        );
        let some =
            "{\"question\":\"a?\",\"answer\":\"1\"}\n{\"question\":\"b?\",\"answer\":\"\"}\n";
        assert_eq!(
            asked("q.jsonl", some),
            [pair("a?", Some("1")), pair("b?", None)]
        );
        assert_eq!(
            asked("q.csv", "Prompt,Reference\na?,7\nb?,\n"),
            [pair("a?", Some("7")), pair("b?", None)]
        );
    }

    #[test]
    fn conversations_ask_what_stands_before_their_last_answer() {
        let row =
            r#"{"messages":[{"role":"user","content":"a?"},{"role":"assistant","content":"1"},
            {"role":"user","content":"b?"},{"role":"assistant","content":"<think>x</think>2"}]}"#
                .replace('\n', "");
        assert_eq!(
            asked("q.jsonl", &row),
            [pair("user: a?\n\nassistant: 1\n\nuser: b?", Some("2"))]
        );
    }

    #[test]
    fn a_file_without_questions_says_so() {
        for (name, content) in [
            ("q.jsonl", ""),
            ("q.jsonl", "{\"text\":\"once upon a time\"}\n"),
            ("q.jsonl", "{\"question\":\"\"}\n{\"said\":1}\nnot json\n"),
            ("q.csv", "a,b\n1,2\n"),
        ] {
            let error = file(name, content).unwrap_err();
            assert_eq!(error.code(), "dataset_empty", "{content:?}: {error}");
            assert!(error.hint().contains("question"), "{}", error.hint());
        }
    }

    #[test]
    fn a_question_is_known_by_its_words() {
        let key = |text: &str| Question::of_text(text.to_owned(), None).key;
        assert_eq!(key("how  many\n?"), key("how many ?"));
        assert_ne!(key("how many"), key("how few"));
        let chat = |turns: &[(Role, &str)]| Chat {
            messages: turns
                .iter()
                .map(|(role, text)| Message::new(*role, *text))
                .collect(),
            tools: None,
        };
        let said = chat(&[
            (Role::System, "be brief"),
            (Role::User, "how many ?"),
            (Role::Assistant, "two"),
            (Role::User, "sure?"),
            (Role::Assistant, "yes"),
        ]);
        let mut keys = HashSet::new();
        answered_keys(&Sample::Chat(said.clone()), &mut keys);
        assert_eq!(keys.len(), 2);
        assert!(keys.contains(&key("how many ?")));
        assert!(keys.contains(&Question::of_chat(said).unwrap().key));
        assert_eq!(Question::of_chat(chat(&[(Role::Assistant, "hello")])), None);
    }

    #[test]
    fn the_program_has_questions_of_its_own() {
        let file = builtin().unwrap();
        assert_eq!((file.questions.len(), file.skipped), (200, 0));
        assert!(
            file.questions
                .iter()
                .all(|question| question.reference.is_some())
        );
    }
}
