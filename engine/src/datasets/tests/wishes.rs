//! What of a conversation is trained, and how its traces are told, as wished. Shown like in `masks`.

use serde_json::json;
use stepladder_protocol::{DataOptions, LossOn, Switch, Traces};

use super::masks::{
    QWEN3, assistant, mask, mask_with, recipe, show, shown, shown_with, thinking, user,
};
use super::{CHATML, template};
use crate::datasets::conversation::{Chat, Message, Role};
use crate::datasets::loss_mask::{MaskProblem, mask_chat, mask_text};
use crate::datasets::turn_account::TraceAccount;
use crate::models::tokenizer::tests::{tokenizer, tokenizer_with_ends};

fn last_turn() -> DataOptions {
    DataOptions {
        loss_on: LossOn::LastTurn,
        ..DataOptions::default()
    }
}

fn everything() -> DataOptions {
    DataOptions {
        loss_on: LossOn::Everything,
        ..DataOptions::default()
    }
}

fn answers_alone(loss_on: LossOn) -> DataOptions {
    DataOptions {
        loss_on,
        loss_on_traces: Switch::Off,
        ..DataOptions::default()
    }
}

fn with_traces(traces: Traces) -> DataOptions {
    DataOptions {
        traces,
        ..DataOptions::default()
    }
}

#[test]
fn the_loss_is_taken_where_it_is_wished() {
    let messages = [user("a"), assistant("b"), user("c"), assistant("d")];
    let stops = ["<|im_end|>"];
    assert_eq!(
        shown_with(&last_turn(), CHATML, &stops, &messages),
        [
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n⟦d<|im_end|>⟧\n"
        ]
    );
    assert_eq!(
        shown_with(&everything(), CHATML, &stops, &messages[..2]),
        ["<|im_start|>⟦user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n⟧"]
    );
}

#[test]
fn answers_of_weight_zero_are_context() {
    let mut first = assistant("b");
    first.extra.insert("weight".to_owned(), json!(0));
    let messages = [user("a"), first, user("c"), assistant("d")];
    let examples = shown(CHATML, &["<|im_end|>"], &messages);
    assert!(
        examples[0].contains("assistant\nb<|im_end|>\n"),
        "{examples:?}"
    );
    assert!(examples[0].ends_with("⟦d<|im_end|>⟧\n"), "{examples:?}");
}

#[test]
fn traces_can_be_context_and_answers_trained() {
    let expected = [
        "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\nt\n</think>\n\n⟦b t<|im_end|>⟧\n",
    ];
    // A field that the template tells, and a block within the words that it leaves alone.
    let stops = ["<|im_end|>"];
    let field = [user("a"), thinking("t", "b t")];
    let inline = [user("a"), assistant("<think>\nt\n</think>\n\nb t")];
    let options = answers_alone(LossOn::Responses);
    for messages in [&field, &inline] {
        assert_eq!(shown_with(&options, QWEN3, &stops, messages), expected);
        assert_eq!(shown_with(&options, CHATML, &stops, messages), expected);
    }
    let options = answers_alone(LossOn::Everything);
    assert_eq!(
        shown_with(&options, CHATML, &stops, &inline),
        [
            "<|im_start|>⟦user\na<|im_end|>\n<|im_start|>assistant\n⟧<think>\nt\n</think>\n\n⟦b t<|im_end|>\n⟧"
        ]
    );
}

#[test]
fn traces_are_kept_in_whatever_form_the_template_tells() {
    let stops = ["<|im_end|>"];
    let told = |source: &str, message: Message| {
        let (masked, tokenizer) = mask(source, &stops, &[user("a"), message]);
        assert_eq!(masked.account.traces.with_trace, 1);
        let text = show(&masked.examples[0], &tokenizer);
        text.split_once("assistant\n").unwrap().1.to_owned()
    };
    let block = "⟦<think>\nt\n</think>\n\nb<|im_end|>⟧\n";
    assert_eq!(told(QWEN3, thinking("t", "b")), block);
    assert_eq!(told(QWEN3, assistant("<think>t</think>b")), block);
    assert_eq!(told(QWEN3, assistant("<reasoning>t</reasoning>\nb")), block);
    // Where the template knows no reasoning, a field becomes a block and a block stays as written.
    assert_eq!(told(CHATML, thinking("t", "b")), block);
    assert_eq!(
        told(CHATML, assistant("<reasoning>t</reasoning>\nb")),
        "⟦<reasoning>t</reasoning>\nb<|im_end|>⟧\n"
    );
}

/// Closes the block itself where it is told not to think.
const SWITCHED: &str = "{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' and m.reasoning_content %}<think>
{{ m.reasoning_content }}
</think>

{% endif %}{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and enable_thinking is false %}<think>

</think>

{% endif %}{% endif %}";

#[test]
fn traces_can_be_dropped_and_empty_ones_inserted() {
    let stops = ["<|im_end|>"];
    let messages = [user("a"), thinking("t", "b"), user("c"), assistant("d")];
    assert_eq!(
        shown_with(&with_traces(Traces::Drop), SWITCHED, &stops, &messages),
        [
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦b<|im_end|>⟧\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n⟦d<|im_end|>⟧\n"
        ]
    );
    assert_eq!(
        shown_with(
            &with_traces(Traces::InsertEmpty),
            SWITCHED,
            &stops,
            &messages
        ),
        [
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦<think>\nt\n</think>\n\nb<|im_end|>⟧\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n⟦<think>\n\n</think>\n\nd<|im_end|>⟧\n"
        ]
    );
    let (masked, _) = mask(
        SWITCHED,
        &stops,
        &[
            user("a"),
            assistant("<think></think>b"),
            user("c"),
            assistant("<think>never ends"),
        ],
    );
    assert_eq!(
        masked.account.traces,
        TraceAccount {
            answers: 2,
            with_trace: 0,
            empty: 1,
            unclosed: 1
        }
    );
}

#[test]
fn a_sequence_begins_once() {
    let (tokenizer, template) = (
        tokenizer_with_ends(&["<|im_end|>"]),
        template(&format!("<s>{{{{ bos_token }}}}{CHATML}")),
    );
    let options = DataOptions::default();
    let recipe = recipe(&tokenizer, &template, &options);
    let chat = Chat {
        messages: vec![user("a"), assistant("b")],
        tools: None,
    };
    let masked = mask_chat(&chat, &recipe, &template).unwrap();
    assert_eq!(
        show(&masked.examples[0], &tokenizer),
        "<s><|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦b<|im_end|>⟧\n"
    );
    assert_eq!(masked.account.begun_twice, 1);
}

#[test]
fn text_is_trained_whole_and_ended() {
    let tokenizer = tokenizer_with_ends(&[]);
    let shown = |text: &str| {
        let masked = mask_text(text, &tokenizer).unwrap();
        show(&masked.examples[0], &tokenizer)
    };
    // The first token is predicted by nothing.
    assert_eq!(shown("hello"), "hell⟦o</s>⟧");
    // What the data end themselves is not ended twice.
    assert_eq!(shown("hello</s>"), "hell⟦o</s>⟧");
}

#[test]
fn what_stands_between_trace_and_answer_is_not_trained_with_traces_off() {
    let stops = ["<|im_end|>"];
    let thoughts = "<|begin_of_thought|>\n\nlong t\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nb\n\n<|end_of_solution|>";
    let options = answers_alone(LossOn::Responses);
    let examples = shown_with(&options, CHATML, &stops, &[user("a"), assistant(thoughts)]);
    let (context, trained) = examples[0].split_once('⟦').unwrap();
    assert!(context.contains("long t"), "{examples:?}");
    assert!(
        trained.contains('b') && !trained.contains("long t"),
        "{examples:?}"
    );
}

/// Opens every answer with a block, empty or not.
const ALWAYS: &str = "{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' %}<think>{{ m.reasoning_content or '' }}</think>{% endif %}{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}";

#[test]
fn an_empty_trace_is_told_once() {
    let stops = ["<|im_end|>"];
    let messages = [user("a"), assistant("b")];
    let insert = with_traces(Traces::InsertEmpty);
    let expected =
        ["<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦<think></think>b<|im_end|>⟧\n"];
    assert_eq!(shown_with(&insert, ALWAYS, &stops, &messages), expected);
    let told_so = [user("a"), assistant("<think></think>b")];
    assert_eq!(shown_with(&insert, ALWAYS, &stops, &told_so), expected);
    assert_eq!(
        shown_with(&answers_alone(LossOn::Responses), ALWAYS, &stops, &messages),
        ["<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think></think>⟦b<|im_end|>⟧\n"]
    );
}

#[test]
fn dropped_traces_are_gone_and_an_answer_of_nothing_else_is_none() {
    let stops = ["<|im_end|>"];
    let drop = with_traces(Traces::Drop);
    let both = [user("a"), thinking("one", "<think>other</think>b")];
    assert_eq!(
        shown_with(&drop, CHATML, &stops, &both),
        ["<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦b<|im_end|>⟧\n"]
    );
    let (tokenizer, template) = (tokenizer(&stops), template(CHATML));
    let recipe = recipe(&tokenizer, &template, &drop);
    let chat = Chat {
        messages: vec![user("a"), assistant("<think>only thoughts</think>")],
        tools: None,
    };
    let problem = mask_chat(&chat, &recipe, &template).unwrap_err();
    assert!(
        matches!(&problem, MaskProblem::Unusable(text) if text.contains("says nothing")),
        "{problem:?}"
    );
}

#[test]
fn everything_counts_lost_traces_and_leaves_out_answers_of_weight_zero() {
    let stops = ["<|im_end|>"];
    let messages = [
        user("a"),
        thinking("first thought", "b"),
        user("c"),
        thinking("second", "d"),
    ];
    let (masked, _) = mask_with(&everything(), QWEN3, &stops, &messages);
    assert_eq!((masked.examples.len(), masked.account.trace_lost), (1, 1));
    let mut first = assistant("b");
    first.extra.insert("weight".to_owned(), json!(0));
    let messages = [user("a"), first, user("c"), assistant("d")];
    assert_eq!(
        shown_with(&everything(), CHATML, &stops, &messages),
        [
            "<|im_start|>⟦user\na<|im_end|>\n<|im_start|>assistant\n⟧b<|im_end|>⟦\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\nd<|im_end|>\n⟧"
        ]
    );
}

#[test]
fn what_the_template_leaves_out_is_counted() {
    let (tokenizer, template) = (
        tokenizer(&["<|im_end|>"]),
        template(&CHATML.replace("in messages %}", "in messages if m.role != 'system' %}")),
    );
    let options = DataOptions::default();
    let recipe = recipe(&tokenizer, &template, &options);
    let chat = Chat {
        messages: vec![
            Message::new(Role::System, "be kind"),
            user("a"),
            assistant("b"),
        ],
        tools: Some(json!([{"type": "function", "function": {"name": "add"}}])),
    };
    let account = mask_chat(&chat, &recipe, &template).unwrap().account;
    assert_eq!((account.tools_left_out, account.system_left_out), (1, 1));
}

#[test]
fn conversations_of_thousands_of_turns_are_refused() {
    let (tokenizer, template) = (tokenizer(&["<|im_end|>"]), template(CHATML));
    let options = DataOptions::default();
    let recipe = recipe(&tokenizer, &template, &options);
    let chat = Chat {
        messages: (0..600).flat_map(|_| [user("a"), assistant("b")]).collect(),
        tools: None,
    };
    let problem = mask_chat(&chat, &recipe, &template).unwrap_err();
    assert!(
        matches!(&problem, MaskProblem::Unusable(text) if text.contains("1200 turns")),
        "{problem:?}"
    );
}
