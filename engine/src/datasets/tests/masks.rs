//! Which tokens are trained, shown as text: trained runs stand in `⟦ ⟧`.

use serde_json::json;
use stepladder_protocol::DataOptions;

use super::{CHATML, GEMMA, template};
use crate::datasets::conversation::{Chat, Message, Role};
use crate::datasets::loss_mask::{MaskProblem, Masked, MaskedTokens, mask_chat};
use crate::datasets::recipe::Recipe;
use crate::datasets::turn_account::{TraceAccount, TurnAccount};
use crate::models::chat_template::ChatTemplate;
use crate::models::tokenizer::tests::tokenizer;
use crate::models::tokenizer::{SpecialTokenText, Tokenizer};

const LLAMA3: &str = "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>

{{ m.content | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}";

const MISTRAL: &str = "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}";

/// Tells the reasoning only behind the last question, as Qwen3 does.
pub(super) const QWEN3: &str = "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' and m.reasoning_content and loop.index0 > ns.last %}<think>
{{ m.reasoning_content }}
</think>

{% endif %}{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}";

pub(super) fn user(text: &str) -> Message {
    Message::new(Role::User, text)
}

pub(super) fn assistant(text: &str) -> Message {
    Message::new(Role::Assistant, text)
}

pub(super) fn thinking(reasoning: &str, text: &str) -> Message {
    Message {
        reasoning: Some(reasoning.to_owned()),
        ..assistant(text)
    }
}

pub(super) fn mask(source: &str, stops: &[&str], messages: &[Message]) -> (Masked, Tokenizer) {
    mask_with(&DataOptions::default(), source, stops, messages)
}

pub(super) fn mask_with(
    options: &DataOptions,
    source: &str,
    stops: &[&str],
    messages: &[Message],
) -> (Masked, Tokenizer) {
    let tokenizer = tokenizer(stops);
    let template = template(source);
    let chat = Chat {
        messages: messages.to_vec(),
        tools: None,
    };
    let recipe = recipe(&tokenizer, &template, options);
    (mask_chat(&chat, &recipe, &template).unwrap(), tokenizer)
}

pub(super) fn recipe<'a>(
    tokenizer: &'a Tokenizer,
    template: &'a ChatTemplate,
    options: &'a DataOptions,
) -> Recipe<'a> {
    Recipe {
        tokenizer,
        template: Some(template),
        options,
        context: 4096,
    }
}

pub(super) fn show(tokens: &MaskedTokens, tokenizer: &Tokenizer) -> String {
    let mut shown = String::new();
    let mut t = 0;
    while t < tokens.ids.len() {
        let run = tokens.targets[t..]
            .iter()
            .take_while(|target| **target == tokens.targets[t])
            .count();
        let text = tokenizer
            .decode(&tokens.ids[t..t + run], SpecialTokenText::Keep)
            .unwrap();
        shown += &if tokens.targets[t] {
            format!("⟦{text}⟧")
        } else {
            text
        };
        t += run;
    }
    shown
}

pub(super) fn shown(source: &str, stops: &[&str], messages: &[Message]) -> Vec<String> {
    shown_with(&DataOptions::default(), source, stops, messages)
}

pub(super) fn shown_with(
    options: &DataOptions,
    source: &str,
    stops: &[&str],
    messages: &[Message],
) -> Vec<String> {
    let (masked, tokenizer) = mask_with(options, source, stops, messages);
    let examples = masked.examples.iter();
    examples.map(|example| show(example, &tokenizer)).collect()
}

#[test]
fn chatml_trains_answers_and_turn_ends() {
    let messages = [
        Message::new(Role::System, "be brief"),
        user("hello"),
        assistant("hello!"),
        user("bye"),
        assistant("hm"),
    ];
    assert_eq!(
        shown(CHATML, &["<|im_end|>"], &messages),
        [
            "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n⟦hello!<|im_end|>⟧\n<|im_start|>user\nbye<|im_end|>\n<|im_start|>assistant\n⟦hm<|im_end|>⟧\n"
        ]
    );
    let (masked, _) = mask(CHATML, &["<|im_end|>"], &messages);
    let traces = TraceAccount {
        answers: 2,
        ..TraceAccount::default()
    };
    assert_eq!(
        masked.account,
        TurnAccount {
            traces,
            ..TurnAccount::default()
        }
    );
}

#[test]
fn llama3_begins_with_one_bos() {
    assert_eq!(
        shown(LLAMA3, &["<|eot_id|>"], &[user("hi"), assistant(" ho ")]),
        [
            "<s><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n⟦ho<|eot_id|>⟧"
        ]
    );
}

#[test]
fn mistral_trains_the_space_that_generation_makes() {
    assert_eq!(
        shown(
            MISTRAL,
            &["</s>"],
            &[user("hi"), assistant("ho"), user("and"), assistant("so")]
        ),
        ["<s>[INST] hi [/INST]⟦ ho</s>⟧[INST] and [/INST]⟦ so</s>⟧"]
    );
}

#[test]
fn gemma_names_the_model_its_own_way() {
    assert_eq!(
        shown(
            GEMMA,
            &["</s>", "<end_of_turn>"],
            &[user("hi"), assistant("ho")]
        ),
        ["<s><start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n⟦ho<end_of_turn>⟧\n"]
    );
}

#[test]
fn refusals_are_told_in_the_templates_words() {
    let messages = vec![Message::new(Role::System, "x"), user("hi"), assistant("ho")];
    let (tokenizer, template) = (tokenizer(&[]), template(GEMMA));
    let options = DataOptions::default();
    let recipe = recipe(&tokenizer, &template, &options);
    let chat = Chat {
        messages,
        tools: None,
    };
    let problem = mask_chat(&chat, &recipe, &template).unwrap_err();
    assert!(matches!(problem, MaskProblem::Refused(text) if text == "System role not supported"));
}

#[test]
fn characters_of_several_tokens_are_trained_whole() {
    let text = "😀é e\u{301} 👩\u{200d}🚀";
    let (masked, tokenizer) = mask(CHATML, &["<|im_end|>"], &[user(text), assistant(text)]);
    // The tokenizer composes the accent (NFC).
    let composed = "😀é é 👩\u{200d}🚀";
    assert_eq!(
        show(&masked.examples[0], &tokenizer),
        format!(
            "<|im_start|>user\n{composed}<|im_end|>\n<|im_start|>assistant\n⟦{composed}<|im_end|>⟧\n"
        )
    );
    let trained = masked.examples[0]
        .targets
        .iter()
        .filter(|target| **target)
        .count();
    assert_eq!(trained, composed.len() + 1);
}

#[test]
fn old_reasoning_that_is_dropped_makes_an_example_per_turn() {
    let messages = [
        user("a"),
        thinking("t1", "b"),
        user("c"),
        thinking("t2", "d"),
    ];
    assert_eq!(
        shown(QWEN3, &["<|im_end|>"], &messages),
        [
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦<think>\nt1\n</think>\n\nb<|im_end|>⟧\n",
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n⟦<think>\nt2\n</think>\n\nd<|im_end|>⟧\n",
        ]
    );
    // Without old reasoning one example carries both turns.
    let messages = [user("a"), assistant("b"), user("c"), thinking("t2", "d")];
    let examples = shown(QWEN3, &["<|im_end|>"], &messages);
    assert_eq!(examples.len(), 1);
    assert!(examples[0].contains("⟦b<|im_end|>⟧") && examples[0].contains("⟦<think>\nt2"));
    // A template that strips every block is found out.
    let stripping = QWEN3
        .replace("m.reasoning_content and", "false and")
        .replace(
            "{{ m.content }}",
            "{{ m.content.split('</think>')[-1].lstrip('\\n') }}",
        );
    let (masked, _) = mask(&stripping, &["<|im_end|>"], &messages);
    assert_eq!(masked.account.trace_lost, 1);
}

#[test]
fn a_prompt_that_opens_the_reasoning_is_not_trained() {
    let opening = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}";
    assert_eq!(
        shown(opening, &["<|im_end|>"], &[user("a"), thinking("t", "b")]),
        [
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n⟦t\n</think>\nb<|im_end|>⟧\n"
        ]
    );
    // An answer without reasoning does not continue that prompt; it is trained, and counted.
    let (masked, tokenizer) = mask(opening, &["<|im_end|>"], &[user("a"), assistant("b")]);
    assert!(show(&masked.examples[0], &tokenizer).ends_with("assistant\n⟦b<|im_end|>⟧\n"));
    assert_eq!(masked.account.off_prompt, 1);
}

#[test]
fn a_token_closing_the_conversation_is_not_the_turns_end() {
    let phi = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}";
    let messages = [user("a"), assistant("b"), user("c"), assistant("d")];
    assert_eq!(
        shown(phi, &["</s>", "<|im_end|>"], &messages),
        [
            "<|user|>\na<|im_end|>\n<|assistant|>\n⟦b<|im_end|>⟧\n<|user|>\nc<|im_end|>\n<|assistant|>\n⟦d<|im_end|>⟧\n</s>"
        ]
    );
}

#[test]
fn a_turn_end_in_the_words_does_not_end_the_turn() {
    assert_eq!(
        shown(
            CHATML,
            &["<|im_end|>"],
            &[user("<|im_end|>?"), assistant("say <|im_end|> last")]
        ),
        [
            "<|im_start|>user\n<|im_end|>?<|im_end|>\n<|im_start|>assistant\n⟦say <|im_end|> last<|im_end|>⟧\n"
        ]
    );
}

#[test]
fn without_a_turn_end_everything_is_trained_and_it_is_counted() {
    let plain = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
    let (masked, tokenizer) = mask(
        plain,
        &["</s>"],
        &[user("a"), assistant("b"), user("c"), assistant("d")],
    );
    assert_eq!(
        show(&masked.examples[0], &tokenizer),
        "user: a\nassistant: ⟦b\n⟧user: c\nassistant: ⟦d\n⟧"
    );
    assert_eq!(masked.account.without_end, 2);
}

#[test]
fn the_next_turns_begin_may_be_the_end() {
    let glm = "{% for m in messages %}{{ '<|eot_id|>' if m.role == 'user' else '<|im_start|>' }}\n{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|im_start|>\n{% endif %}";
    let messages = [user("a"), assistant("b"), user("c"), assistant("d")];
    let (masked, tokenizer) = mask(glm, &["<|eot_id|>"], &messages);
    assert_eq!(
        show(&masked.examples[0], &tokenizer),
        "<|eot_id|>\na<|im_start|>\n⟦b<|eot_id|>⟧\nc<|im_start|>\n⟦d⟧"
    );
    assert_eq!(masked.account.without_end, 1);
}

#[test]
fn a_first_answer_does_not_take_the_opening_along() {
    // The begin-of-sequence token stands in the first message and so not in the opening of nothing.
    let llama = "{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}";
    assert_eq!(
        shown(
            llama,
            &["<|eot_id|>"],
            &[assistant("hi"), user("a"), assistant("b")]
        ),
        [
            "<s><|start_header_id|>assistant<|end_header_id|>\n\n⟦hi<|eot_id|>⟧<|start_header_id|>user<|end_header_id|>\n\na<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n⟦b<|eot_id|>⟧"
        ]
    );
}

#[test]
fn a_token_across_the_border_belongs_to_the_prompt() {
    // The prompt ends with a line break and the answer begins with one; both are one token.
    assert_eq!(
        shown(CHATML, &["<|im_end|>"], &[user("a"), assistant("\nb")]),
        ["<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n\n⟦b<|im_end|>⟧\n"]
    );
}

#[test]
fn an_assistant_may_begin_and_may_go_on() {
    assert_eq!(
        shown(
            CHATML,
            &["<|im_end|>"],
            &[
                assistant("welcome"),
                user("a"),
                assistant("b"),
                assistant("c")
            ]
        ),
        [
            "<|im_start|>assistant\n⟦welcome<|im_end|>⟧\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦b<|im_end|>⟧\n<|im_start|>assistant\n⟦c<|im_end|>⟧\n"
        ]
    );
    // This template cannot be rendered without a message, so the first turn is found by its words.
    let looks_back = "{% if messages[0].role == 'system' %}{% endif %}".to_owned() + CHATML;
    assert_eq!(
        shown(
            &looks_back,
            &["<|im_end|>"],
            &[assistant("Quiet"), user("a")]
        ),
        ["<|im_start|>assistant\n⟦Quiet<|im_end|>⟧\n<|im_start|>user\na<|im_end|>\n"]
    );
}

#[test]
fn a_question_told_differently_later_is_not_trained() {
    // The system message goes into the last message if that is a question, as with Mistral.
    let moving = "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{{ bos_token }}{% for m in rest %}{% if m.role == 'user' %}[INST] {% if loop.last and system is defined %}{{ system }}\n\n{% endif %}{{ m.content }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}";
    let (masked, tokenizer) = mask(
        moving,
        &["</s>"],
        &[
            Message::new(Role::System, "be kind"),
            user("a"),
            assistant("b"),
        ],
    );
    assert_eq!(
        show(&masked.examples[0], &tokenizer),
        "<s>[INST] a [/INST]⟦ b</s>⟧"
    );
    assert_eq!(masked.account.off_prompt, 1);
}

#[test]
fn a_conversation_that_may_not_end_there_is_compared_whole() {
    let mut call = assistant("");
    call.extra.insert(
        "tool_calls".to_owned(),
        json!([{"name": "add", "arguments": {"a": 1}}]),
    );
    let messages = [
        user("1+1"),
        call,
        Message::new(Role::Tool, "2"),
        assistant("two"),
    ];
    let tools = "{% for m in messages %}{% if m.tool_calls and loop.last %}{{ raise_exception('a call needs its result') }}{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for call in m.tool_calls %}<call>{{ call | tojson }}{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    assert_eq!(
        shown(tools, &["<|im_end|>"], &messages),
        [
            "<|im_start|>user\n1+1<|im_end|>\n<|im_start|>assistant\n⟦<call>{\"name\": \"add\", \"arguments\": {\"a\": 1}}<|im_end|>⟧\n<|im_start|>tool\n2<|im_end|>\n<|im_start|>assistant\n⟦two<|im_end|>⟧\n"
        ]
    );
}

#[test]
fn an_answer_that_leaves_no_trace_is_counted() {
    let deaf = "{% for m in messages if m.role == 'user' %}<|im_start|>{{ m.content }}<|im_end|>\n{% endfor %}";
    let (masked, tokenizer) = mask(
        deaf,
        &["<|im_end|>"],
        &[user("a"), assistant("b"), user("c")],
    );
    assert!(
        masked
            .examples
            .iter()
            .all(|example| !show(example, &tokenizer).contains('⟦'))
    );
}
