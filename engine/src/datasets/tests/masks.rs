//! Which tokens are trained, shown as text: trained runs stand in `⟦ ⟧`.

use serde_json::json;
use stepladder_protocol::{DataOptions, LossOn, Switch, Traces};

use super::{CHATML, GEMMA, template};
use crate::datasets::conversation::{Chat, Message, Role};
use crate::datasets::loss_mask::{
    MaskProblem, Masked, MaskedTokens, TurnAccount, mask_chat, mask_text,
};
use crate::datasets::recipe::Recipe;
use crate::datasets::telling::TraceAccount;
use crate::models::chat_template::ChatTemplate;
use crate::models::tokenizer::tests::{tokenizer, tokenizer_with_ends};
use crate::models::tokenizer::{SpecialTokenText, Tokenizer};

const LLAMA3: &str = "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>

{{ m.content | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}";

const MISTRAL: &str = "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}";

/// Tells the reasoning only behind the last question, as Qwen3 does.
const QWEN3: &str = "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' and m.reasoning_content and loop.index0 > ns.last %}<think>
{{ m.reasoning_content }}
</think>

{% endif %}{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}";

fn user(text: &str) -> Message {
    Message::new(Role::User, text)
}

fn assistant(text: &str) -> Message {
    Message::new(Role::Assistant, text)
}

fn thinking(reasoning: &str, text: &str) -> Message {
    Message {
        reasoning: Some(reasoning.to_owned()),
        ..assistant(text)
    }
}

fn mask(source: &str, stops: &[&str], messages: &[Message]) -> (Masked, Tokenizer) {
    mask_with(&DataOptions::default(), source, stops, messages)
}

fn mask_with(
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

fn recipe<'a>(
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

fn show(tokens: &MaskedTokens, tokenizer: &Tokenizer) -> String {
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

fn shown(source: &str, stops: &[&str], messages: &[Message]) -> Vec<String> {
    shown_with(&DataOptions::default(), source, stops, messages)
}

fn shown_with(
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
