//! Choices of a template, and what is told of them.

use super::*;
use crate::models::chat_template::SpecialTokens;
use crate::models::tokenizer::tests::tokenizer;

const OWN: &str =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";

/// What `use_it` finds for a model that stops at these tokens and has a template of its own or none.
fn with_model<T>(stops: &[&str], own: Option<&str>, use_it: impl FnOnce(&Choosing<'_>) -> T) -> T {
    let tokenizer = tokenizer(stops);
    let model = Path::new("model");
    let own = own.map(|source| {
        ChatTemplate::new(model, source, tokenizer.special_tokens().clone()).unwrap()
    });
    use_it(&Choosing {
        model,
        tokenizer: &tokenizer,
        own: own.as_ref(),
        clock: Some(Clock::at_unix_secs(0)),
    })
}

fn notices(stops: &[&str], own: Option<&str>, choice: &str) -> Vec<String> {
    with_model(stops, own, |model| {
        model.choose(choice).unwrap().notices(model.tokenizer)
    })
}

#[test]
fn auto_is_the_models_own() {
    with_model(&["<|im_end|>"], Some(OWN), |model| {
        let chosen = model.choose("auto").unwrap();
        assert_eq!(chosen.template.source(), OWN);
        assert_eq!(chosen.origin, TemplateOrigin::Model);
        assert_eq!(chosen.source_to_keep(), None);
        assert_eq!(chosen.notices(model.tokenizer), [""; 0]);
    });
    with_model(&[], None, |model| {
        let error = model.choose("auto").unwrap_err();
        assert_eq!(error.code(), "chat_template_missing");
        let names = NamedTemplate::names();
        assert!(error.hint().contains(&names), "{}", error.hint());
    });
}

#[test]
fn a_named_template_ends_turns_where_the_model_did_not_stop() {
    with_model(&["</s>"], Some("{{ messages }}"), |model| {
        let chosen = model.choose("chatml").unwrap();
        let end = model.tokenizer.token_id("<|im_end|>").unwrap();
        assert_eq!(chosen.stop_tokens, [end]);
        let stops = model.tokenizer.stopping_also_at(&chosen.stop_tokens);
        assert_eq!(stops.stop_tokens(), [model.tokenizer.stop_tokens()[0], end]);
        assert!(chosen.source_to_keep().unwrap().contains("<|im_start|>"));
        assert_eq!(chosen.template.clock(), Clock::at_unix_secs(0));
        assert_eq!(
            chosen.notices(model.tokenizer),
            ["the chat template chatml takes the place of the model's own chat template"]
        );
    });
    with_model(&["<|im_end|>"], None, |model| {
        let chosen = model.choose("chatml").unwrap();
        assert_eq!(chosen.stop_tokens, [0; 0]);
        assert_eq!(chosen.notices(model.tokenizer), [""; 0]);
    });
}

#[test]
fn what_the_tokenizer_lacks_is_told() {
    let found = notices(&["</s>"], None, "phi");
    assert!(
        found[0].starts_with(
            "the chat template phi prints <|system|>, <|user|>, <|assistant|>, <|end|>, which"
        ),
        "{found:?}"
    );
    assert!(found[1].contains("no token behind an answer"), "{found:?}");
    // `<end_of_turn>` is there, its twin is not.
    let found = notices(&["</s>"], None, "gemma");
    assert!(
        found[0].contains("gemma prints <start_of_turn>, which"),
        "{found:?}"
    );
    assert_eq!(found.len(), 1);
    // Nothing ends a sequence in a tokenizer without any stop token.
    let found = notices(&[], None, "alpaca");
    assert!(found[0].contains("no token behind an answer"), "{found:?}");
    assert_eq!(notices(&["</s>"], None, "alpaca"), [""; 0]);
    // The model's own template is looked at by what it prints.
    let own = "{% for m in messages %}<|role|>{{ m.content }}<|im_end|>{% endfor %}";
    let found = notices(&["</s>"], Some(own), "auto");
    assert!(found[0].starts_with("the model's chat template prints <|role|>, which"));
    assert!(found[1].contains("no token behind an answer"), "{found:?}");
    assert_eq!(found.len(), 2);
}

#[test]
fn openings_and_traces_are_looked_at_too() {
    let own = "{% for m in messages %}{% if m.reasoning_content %}<muse>{{ m.reasoning_content }}{% endif %}{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|reply|>{% endif %}";
    let found = notices(&["<|im_end|>"], Some(own), "auto");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("the model's chat template prints <muse>, <|reply|>, which"),
        "{found:?}"
    );
}

#[test]
fn a_double_beginning_is_told() {
    let tokenizer = tokenizer(&["</s>"]);
    let special = SpecialTokens {
        bos: Some("<s>".to_owned()),
        ..SpecialTokens::default()
    };
    let begins = |source: &str| {
        let template = ChatTemplate::new(Path::new("m"), source, special.clone()).unwrap();
        let chosen = ChosenTemplate {
            template,
            origin: TemplateOrigin::Model,
            stop_tokens: Vec::new(),
            replaces_own: false,
        };
        chosen.begins_twice("<s>", &tokenizer)
    };
    let rest = "{% for m in messages %}{{ m.content }}</s>{% endfor %}";
    assert!(begins(&format!("{{{{ bos_token }}}}<s>{rest}")));
    assert!(!begins(&format!("{{{{ bos_token }}}}{rest}")));
    assert!(!begins(rest));
}

#[test]
fn files_and_adapters_bring_templates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.jinja");
    std::fs::write(&path, OWN).unwrap();
    let name = path.to_str().unwrap();
    with_model(&["</s>"], None, |model| {
        let end = model.tokenizer.token_id("<|im_end|>").unwrap();
        let chosen = model.choose(name).unwrap();
        assert_eq!(chosen.origin, TemplateOrigin::File(path.clone()));
        assert_eq!(chosen.stop_tokens, [end]);
        let kept = chosen.source_to_keep();
        assert_eq!(kept, Some(OWN));
        let used = model.of_adapter(folder.path(), kept, &[end, 7]).unwrap();
        assert_eq!(used.template.source(), OWN);
        assert_eq!(used.stop_tokens, [end, 7]);
        assert!(model.of_adapter(folder.path(), None, &[]).is_err());
    });
    // The model's own, found in a file, is the model's own.
    with_model(&["</s>"], Some(OWN), |model| {
        assert_eq!(model.choose(name).unwrap().origin, TemplateOrigin::Model);
        let used = model.of_adapter(folder.path(), Some(OWN), &[]).unwrap();
        assert_eq!(used.origin, TemplateOrigin::Model);
    });
    with_model(&[], Some(OWN), |model| {
        let error = model.choose("chatlm").unwrap_err();
        assert_eq!(
            error.to_string(),
            "template: chatlm is neither the name of a template nor a file"
        );
        assert!(error.hint().contains("plain, or the path of a .jinja file"));
        std::fs::write(&path, b"ok\xff").unwrap();
        let error = model.choose(name).unwrap_err().to_string();
        assert!(error.ends_with("not UTF-8 text after byte 2"), "{error}");
        std::fs::write(&path, "{% for %}").unwrap();
        let error = model.choose(name).unwrap_err().to_string();
        assert!(error.contains("line 1 of the template"), "{error}");
        std::fs::write(&path, "x".repeat(2 << 20)).unwrap();
        let error = model.choose(name).unwrap_err().to_string();
        assert!(error.contains("no template is"), "{error}");
    });
}
