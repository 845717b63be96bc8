//! Templates of the well-known families, written out, and hostile ones.

use std::time::{Duration, Instant};

use super::*;

fn template(source: &str) -> ChatTemplate {
    let special = SpecialTokens {
        bos: Some("<s>".to_owned()),
        eos: Some("</s>".to_owned()),
        ..SpecialTokens::default()
    };
    ChatTemplate::new(Path::new("model"), source, special).unwrap()
}

fn render(source: &str, messages: &[Message]) -> Result<String> {
    template(source).render(&Dialog::new(messages), GenerationPrompt::None)
}

fn user(text: &str) -> Message {
    Message::new(Role::User, text)
}

#[test]
fn blocks_are_trimmed_and_the_prompt_is_optional() {
    let source = "{% for message in messages %}\n    {% if true %}\n<|{{ message['role'] }}|>{{ message.content }}\n    {% endif %}\n{% endfor %}\n{% if add_generation_prompt %}<|assistant|>{% endif %}\n";
    let chat = template(source);
    let messages = [user("hi"), Message::new(Role::Assistant, "ho")];
    assert_eq!(
        chat.render(&Dialog::new(&messages), GenerationPrompt::None)
            .unwrap(),
        "<|user|>hi\n<|assistant|>ho\n"
    );
    assert_eq!(
        chat.render(&Dialog::new(&messages[..1]), GenerationPrompt::Assistant)
            .unwrap(),
        "<|user|>hi\n<|assistant|>"
    );
}

#[test]
fn pythons_ways_work() {
    let messages = [user("  a</think>b  ")];
    let cases = [
        (
            "{{ messages[0].content.strip().split('</think>')[-1] }}",
            "b",
        ),
        ("{{ messages[0]['content'] | trim }}", "a</think>b"),
        ("{{ messages[::-1][0].role.upper() }}", "USER"),
        (
            "{{ none }} {{ true }} {{ 1.0 }} {{ [1, 'x'] }}",
            "None True 1.0 [1, 'x']",
        ),
        (
            "{{ bos_token + 'x' + eos_token }}{{ pad_token }}",
            "<s>x</s>",
        ),
        ("{{ '<a>&' }}", "<a>&"),
        (
            "{% if tools is none and tools is defined %}y{% endif %}",
            "y",
        ),
        (
            "{% if messages[0].reasoning_content is defined %}y{% else %}n{% endif %}",
            "n",
        ),
        (
            "{% set ns = namespace(x=1) %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
            "4",
        ),
        (
            "{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}",
            "01",
        ),
        (
            "{% generation %}{{ messages[0].role }}{% endgeneration %}",
            "user",
        ),
        (
            "{% macro m(x, y='!') %}{{ x }}{{ y }}{% endmacro %}{{ m('a') }}",
            "a!",
        ),
        ("{{ messages[0].nothing }}|{{ missing }}", "|"),
        ("{{ {'a': \"<'>\"} | tojson }}", "{\"a\": \"<'>\"}"),
        (
            "{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}",
            "a1",
        ),
        (
            "{{ messages[0].content is string }}{{ messages is iterable }}{{ messages[0] is mapping }}",
            "TrueTrueTrue",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(render(source, &messages).unwrap(), expected, "{source}");
    }
}

#[test]
fn reasoning_and_further_fields_reach_the_template() {
    let mut message = Message::new(Role::Assistant, "4");
    message.reasoning = Some("2+2".to_owned());
    message.extra.insert(
        "tool_calls".to_owned(),
        serde_json::json!([{"z": 1, "a": {"q": "é"}}]),
    );
    let source = "{{ messages[0].reasoning_content }} {{ messages[0].thinking }} {{ messages[0].tool_calls | tojson }}";
    assert_eq!(
        render(source, &[message]).unwrap(),
        r#"2+2 2+2 [{"z": 1, "a": {"q": "é"}}]"#
    );
}

#[test]
fn tools_and_the_wish_to_think_reach_the_template() {
    let source = "{% if tools %}{{ tools | tojson }}{% else %}{{ tools is none }}{% endif %} {{ enable_thinking is defined }} {{ enable_thinking }}";
    let chat = template(source);
    let tools = serde_json::json!([{"type": "function", "function": {"name": "add"}}]);
    let told = |tools, thinking| {
        let dialog = Dialog {
            tools,
            thinking,
            ..Dialog::new(&[])
        };
        chat.render(&dialog, GenerationPrompt::None).unwrap()
    };
    assert_eq!(told(None, Thinking::Unsaid), "True False ");
    assert_eq!(
        told(Some(&tools), Thinking::On),
        r#"[{"type": "function", "function": {"name": "add"}}] True True"#
    );
    assert_eq!(told(None, Thinking::Off), "True True False");
}

#[test]
fn tools_pay_for_their_own_telling() {
    let source = "{% for tool in tools %}{{ tool | tojson }}{% endfor %}";
    let words = "word ".repeat(100);
    let tool = serde_json::json!({"name": "look_up", "description": words});
    let many = serde_json::Value::Array(vec![tool; 40_000]);
    let dialog = Dialog {
        tools: Some(&many),
        ..Dialog::new(&[])
    };
    let text = template(source)
        .render(&dialog, GenerationPrompt::None)
        .unwrap();
    assert!(text.len() > 40_000 * 500);
}

#[test]
fn the_date_is_fixed() {
    let chat = template("{{ strftime_now('%d %b %Y') }}").with_clock(Clock::at_unix_secs(0));
    assert_eq!(
        chat.render(&Dialog::new(&[]), GenerationPrompt::None)
            .unwrap(),
        "01 Jan 1970"
    );
    assert_eq!(chat.clock().unix_secs(), 0);
}

#[test]
fn refusals_and_defects_are_told_apart() {
    let problem = |source: &str| {
        template(source)
            .try_render(&Dialog::new(&[user("x")]), GenerationPrompt::None)
            .unwrap_err()
    };
    assert_eq!(
        problem("{{ raise_exception('System role\u{1b} not supported') }}"),
        RenderProblem::Refused("System role\\u{1b} not supported".to_owned())
    );
    // A refusal inside a macro stays a refusal.
    assert!(matches!(
        problem("{% macro m() %}{{ raise_exception('no') }}{% endmacro %}{{ m() }}"),
        RenderProblem::Refused(_)
    ));
    assert!(
        matches!(problem("\n{{ missing.attribute }}"), RenderProblem::Failed(text) if text.contains("line 2"))
    );
    assert_eq!(
        render("{{ raise_exception('only users') }}", &[])
            .unwrap_err()
            .to_string(),
        "chat template of model: refuses these messages: only users"
    );
}

#[test]
fn a_template_that_does_not_parse_is_an_error() {
    let error =
        ChatTemplate::new(Path::new("m"), "{% for %}", SpecialTokens::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("chat template of m: syntax error: "),
        "{error}"
    );
    assert!(
        error.to_string().contains("line 1 of the template"),
        "{error}"
    );
    let nested = "(".repeat(100_000);
    ChatTemplate::new(
        Path::new("m"),
        &format!("{{{{ {nested}"),
        SpecialTokens::default(),
    )
    .unwrap_err();
    let huge = "x".repeat(MAX_SOURCE_BYTES + 1);
    ChatTemplate::new(Path::new("m"), &huge, SpecialTokens::default()).unwrap_err();
}

#[test]
fn hostile_templates_end_fast() {
    let hostile = [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(9999) %}{{ 'x' * 10000 }}{% endfor %}",
        "{{ 'x' * 100000000000 }}",
        "{% set ns = namespace(s='xx') %}{% for a in range(200) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s='xx') %}{% for a in range(200) %}{% set ns.s = ns.s.replace('x', 'xx') %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for a in range(30) %}{% set ns.l = ns.l + ns.l %}{% endfor %}{{ ns.l | tojson }}",
        "{% include 'chat_template' %}",
        "{% set ns = namespace(l=[1]) %}{% for a in range(500) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l | tojson }}",
    ];
    for source in hostile {
        let start = Instant::now();
        let result = render(source, &[user("hi")]);
        assert!(result.is_err(), "{source}");
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{source} took {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_template_without_end_has_no_traits() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}{{ messages[0].content }}";
    let start = Instant::now();
    assert_eq!(*template(endless).traits(), TemplateTraits::default());
    assert!(start.elapsed() < Duration::from_secs(5));
    let refusing = template("{{ raise_exception('no') }}");
    assert_eq!(*refusing.traits(), TemplateTraits::default());
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let nested = "{% set ns = namespace(l=1) %}{% for a in range(1000) %}{% for b in range(1000) %}{% set ns.l = [[[[[[[[[[[[[[[[[[[[ns.l]]]]]]]]]]]]]]]]]]]] %}{% endfor %}{% if a == STOP %}{% break %}{% endif %}{% endfor %}";
    for stop in ["99999", "5"] {
        for tail in [
            "",
            "{{ ns.l }}",
            "{{ ns.l == ns.l }}",
            "{{ {ns.l: 1}[ns.l] }}",
            "{{ [ns.l, ns.l] | unique }}",
        ] {
            let source = nested.replace("STOP", stop) + tail;
            let _ = render(&source, &[user("hi")]);
            let many = vec![user("hi"); 1000];
            let _ = render(&source, &many);
        }
    }
}

#[test]
fn long_conversations_render() {
    let source = "{% for m in messages %}{% for n in messages[loop.index0:] %}{% if n.role == 'tool' %}{% break %}{% endif %}{% endfor %}<|{{ m.role }}|>{{ m.content.strip().split('</think>')[-1] | trim }}\n{% endfor %}";
    let long = "lorem ipsum ".repeat(400_000);
    assert_eq!(
        render(source, &[user(&long)]).unwrap().len(),
        9 + long.trim().len()
    );
    let many = vec![user("hi"); 150];
    assert_eq!(render(source, &many).unwrap().len(), 150 * 11);
}
