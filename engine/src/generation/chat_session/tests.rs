//! What an adapter in a chat is used beside and with.

use super::*;
use crate::adapters::adapter_folder::{AdapterConfig, CHAT_TEMPLATE, CONFIG};
use crate::adapters::network::Network;
use crate::models::quantization::Quantization;
use crate::training::plan::ModelPlan;
use stepladder_protocol::{RunConfig, Switch};

/// A fresh adapter beside a head kept as asked for; answers its description.
fn save(folder: &Path, quantize_head: Switch) -> serde_json::Value {
    let request = RunConfig {
        quantize_head,
        ..RunConfig::default()
    };
    let files = ModelFiles::open("builtin").unwrap();
    let plan = ModelPlan::resolve(&request, &files.config).unwrap();
    let network = Network::initialize(plan.shape.clone(), 1).unwrap();
    let config = AdapterConfig::new(
        "builtin".to_owned(),
        files.fingerprint(),
        plan.shape,
        request.tap_dtype,
        plan.quantization,
    );
    adapter_folder::save(folder, &config, network.parameters()).unwrap();
    serde_json::from_slice(&std::fs::read(folder.join(CONFIG)).unwrap()).unwrap()
}

#[test]
fn the_head_is_kept_as_it_was_while_the_adapter_was_trained() {
    let folder = tempfile::tempdir().unwrap();
    let (nf4, stored) = (folder.path().join("nf4"), folder.path().join("stored"));
    let description = save(&nf4, Switch::On);
    assert_eq!(description["quantization"], "as_stored");
    assert_eq!(description["head_quantization"], "nf4_double_quantized");
    // A description that says nothing of the head is of one as stored.
    let mut description = save(&stored, Switch::Off);
    let fields = description.as_object_mut().unwrap();
    assert_eq!(fields.remove("head_quantization").unwrap(), "as_stored");
    std::fs::write(stored.join(CONFIG), description.to_string()).unwrap();

    let double = Quantization::Nf4DoubleQuantized;
    let with_head = BackboneQuantization::AS_STORED.with_head(double);
    for (adapter, other, kept, form) in [
        (Some(&nf4), &stored, with_head, "NF4"),
        (Some(&stored), &nf4, BackboneQuantization::AS_STORED, "BF16"),
        (None, &nf4, BackboneQuantization::AS_STORED, "BF16"),
    ] {
        let adapter = adapter.map(PathBuf::as_path);
        let mut session = ChatSession::open("builtin", adapter, Compute::cpu()).unwrap();
        let head = format!("{:?}", session.backbone.head().weight());
        assert!(head.starts_with(&format!("FrozenMatrix({form} ")), "{head}");
        if let Some(adapter) = session.adapter() {
            assert_eq!(adapter.config.quantization, kept);
        }
        let choice = AdapterChoice::At(other.clone());
        let error = session.choose(&choice).unwrap_err().to_string();
        assert!(error.contains("a backbone kept in another form"), "{error}");
    }
}

fn reply(session: &ChatSession) -> Result<ReplyStats> {
    let settings = SamplerSettings {
        max_tokens: Some(3),
        ..SamplerSettings::default()
    };
    let question = [("user", "What is 2 + 3?")];
    session.reply(&question, &settings, &StopFlag::default(), &mut |_| ())
}

#[test]
fn an_adapter_answers_with_the_template_and_the_ends_it_was_trained_with() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = folder.path().join("adapter");
    let mut description = save(&adapter, Switch::Off);
    let own = "{{ raise_exception('the template of the adapter') }}";
    std::fs::write(adapter.join(CHAT_TEMPLATE), own).unwrap();
    let mut session = ChatSession::open("builtin", Some(&adapter), Compute::cpu()).unwrap();
    let error = reply(&session).unwrap_err().to_string();
    assert!(error.ends_with("the template of the adapter"), "{error}");
    session.choose(&AdapterChoice::Base).unwrap();
    assert_eq!(reply(&session).unwrap().total_tokens, 3);
    session.choose(&AdapterChoice::At(adapter.clone())).unwrap();
    reply(&session).unwrap_err();

    // With every token an end, nothing is said.
    std::fs::write(adapter.join(CHAT_TEMPLATE), "{{ messages[0].content }}").unwrap();
    let every: Vec<u32> = (0..session.files.tokenizer.vocabulary_size() as u32).collect();
    description["stop_tokens"] = serde_json::json!(every);
    std::fs::write(adapter.join(CONFIG), description.to_string()).unwrap();
    let session = ChatSession::open("builtin", Some(&adapter), Compute::cpu()).unwrap();
    let stats = reply(&session).unwrap();
    assert_eq!((stats.total_tokens, stats.finish), (0, FinishReason::Stop));
}

#[test]
fn an_adapter_folder_keeps_its_template() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    save(&first, Switch::Off);
    assert!(!first.join(CHAT_TEMPLATE).exists());
    let mut stored = adapter_folder::read(&first).unwrap();
    assert_eq!(stored.config.chat_template, None);
    stored.config.chat_template = Some("{{ messages }}".to_owned());
    stored.config.stop_tokens = vec![3];
    adapter_folder::save(&second, &stored.config, stored.network.parameters()).unwrap();
    let stored = adapter_folder::read(&second).unwrap();
    assert_eq!(
        stored.config.chat_template.as_deref(),
        Some("{{ messages }}")
    );
    assert_eq!(stored.config.stop_tokens, [3]);
}

#[test]
fn the_next_variant_and_the_next_turn_read_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    save(&first, Switch::Off);
    save(&second, Switch::Off);
    let mut session = ChatSession::open("builtin", Some(&first), Compute::cpu()).unwrap();
    let settings = SamplerSettings {
        temperature: Some(0.0),
        max_tokens: Some(3),
        ..SamplerSettings::default()
    };
    // What is said, its figures, and how many tokens went through the backbone for it.
    let ask = |session: &ChatSession, messages: &[(&str, &str)]| {
        let (before, mut text) = (session.backbone.tokens_run(), String::new());
        let reply = session.reply(messages, &settings, &StopFlag::default(), &mut |piece| {
            text.push_str(piece.text);
        });
        (text, reply.unwrap(), session.backbone.tokens_run() - before)
    };
    let mut messages = vec![("user", "What is 2 + 3?")];
    let [opened, base, other] = [
        AdapterChoice::Opened,
        AdapterChoice::Base,
        AdapterChoice::At(second),
    ];
    session.choose(&other).unwrap();
    let (said, stats, run) = ask(&session, &messages);
    // Of three tokens two are taken in to say the next.
    assert_eq!(run, stats.prompt_tokens + 2);
    assert_eq!(stats.context_length, session.info().context_length);
    for choice in [&opened, &base, &other] {
        session.choose(choice).unwrap();
        let (again, _, run) = ask(&session, &messages);
        // These adapters are fresh: all say what the base model says.
        assert_eq!((&again, run), (&said, 2), "{choice:?}");
    }
    messages.extend([("assistant", said.as_str()), ("user", "And 2 + 4?")]);
    let (said, stats, run) = ask(&session, &messages);
    assert!(run < stats.prompt_tokens - 8, "{run} {stats:?}");
    session.choose(&base).unwrap();
    let (again, _, run) = ask(&session, &messages);
    assert_eq!((again, run), (said, 2));
    // One that nobody had loaded then has to read it, and so do all.
    let mut fresh = ChatSession::open("builtin", None, Compute::cpu()).unwrap();
    ask(&fresh, &messages);
    fresh.choose(&opened).unwrap();
    fresh.choose(&AdapterChoice::At(first)).unwrap();
    assert_eq!(ask(&fresh, &messages).2, stats.prompt_tokens + 2);
}
