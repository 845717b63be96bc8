//! LoRA against PEFT: loss, logits, every gradient, ten training losses; beside backbones of every
//! family, with blocks recomputed or kept. The case in four bits has a backbone whose weights are what
//! NF4 made of them.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use candle_core::Tensor;
use stepladder_engine::adapters::kept::KeptStates;
use stepladder_engine::adapters::lora::{
    Lora, LoraRequest, LoraShape, LoraTraining, LowRank, peft,
};
use stepladder_engine::adapters::parameters::Parameters;
use stepladder_engine::adapters::targets::TargetedInput;
use stepladder_engine::generation::generator::{AdapterInUse, Generator};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::decoder::{Decoder, TokenInput};
use stepladder_engine::models::quantization::{BackboneQuantization, Quantization};
use stepladder_engine::ops::linear_cross_entropy::Gradient;
use stepladder_engine::training::optimizer::{AdamW, AdamWSettings};
use stepladder_protocol::Switch;
use stepladder_tests::{assert_close, golden, golden_path, numbers, positions, unsigned};

use super::backbones;

struct Case {
    name: String,
    settings: serde_json::Value,
    tensors: HashMap<String, Tensor>,
    backbone: Decoder,
    ids: Vec<u32>,
    positions: Vec<u32>,
    target_rows: Vec<u32>,
    target_ids: Vec<u32>,
}

/// Every case that the witness made.
fn cases() -> Vec<Case> {
    let mut names: Vec<String> = std::fs::read_dir(golden_path("lora"))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".json").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() >= 11, "{names:?}");
    names.into_iter().map(Case::load).collect()
}

impl Case {
    fn load(name: String) -> Self {
        let json = std::fs::read(golden_path(&format!("lora/{name}.json"))).unwrap();
        let settings: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let tensors = golden(&format!("lora/{name}.safetensors"));
        let backbone = settings["backbone"].as_str().unwrap();
        let quantization = match settings["quantization"].as_str().unwrap() {
            "as_stored" => BackboneQuantization::AS_STORED,
            "nf4_double_quantized" => {
                BackboneQuantization::of_blocks(Quantization::Nf4DoubleQuantized)
            }
            other => panic!("{other}"),
        };
        let checkpoint = Checkpoint::open(&golden_path("backbones").join(backbone)).unwrap();
        let config = backbones::config(backbone);
        let backbone = Decoder::load(config, &checkpoint, quantization).unwrap();
        let (batch, seq) = tensors["input_ids"].dims2().unwrap();
        let labels = tensors["targets"].flatten_all().unwrap();
        let (mut target_rows, mut target_ids) = (Vec::new(), Vec::new());
        for (row, label) in labels.to_vec1::<i64>().unwrap().into_iter().enumerate() {
            if label >= 0 {
                target_rows.push(row as u32);
                target_ids.push(label as u32);
            }
        }
        Self {
            name,
            ids: unsigned(&tensors["input_ids"]),
            positions: positions(batch, seq),
            target_rows,
            target_ids,
            settings,
            tensors,
            backbone,
        }
    }

    fn lora(&self) -> Lora {
        let names = self.settings["target_modules"].as_array().unwrap();
        let names = names.iter().map(|name| name.as_str().unwrap().to_owned());
        let request = LoraRequest {
            rank: self.settings["rank"].as_u64().unwrap() as usize,
            alpha: self.settings["alpha"].as_f64().unwrap(),
            dropout: 0.0,
            rank_stabilized: self.settings["use_rslora"].as_bool().unwrap(),
            target_modules: Some(names.collect()),
        };
        let shape = LoraShape::resolve(&request, self.backbone.config()).unwrap();
        let copies = self.tensors.iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix("parameters.")?.to_owned();
            Some((name, tensor.copy().unwrap()))
        });
        let parameters: BTreeMap<String, Tensor> = copies.collect();
        let lora = Lora::from_parameters(shape, Parameters::new(parameters)).unwrap();
        let expected = self.settings["trainable_parameters"].as_u64().unwrap();
        assert_eq!(lora.parameters().count() as u64, expected, "{}", self.name);
        lora
    }

    fn tokens(&self) -> TokenInput<'_> {
        let (batch, seq) = self.tensors["input_ids"].dims2().unwrap();
        TokenInput {
            ids: &self.ids,
            positions: &self.positions,
            first_visible: &[],
            batch,
            seq,
        }
    }

    fn loss_and_gradients(&self, lora: &Lora, recompute: Switch) -> (f64, Parameters) {
        let gradients = lora.parameters().zeros_like().unwrap();
        let targets = self.target_rows.len() as f64;
        let input = TargetedInput {
            tokens: self.tokens(),
            target_rows: &self.target_rows,
            target_ids: &self.target_ids,
        };
        let training = LoraTraining {
            recompute,
            inputs: KeptStates::default(),
            seed: 1,
            draw: 0,
        };
        let gradient = Gradient::Scaled(1.0 / targets);
        let sum = lora
            .loss(&self.backbone, input, training, gradient, &gradients)
            .unwrap();
        (sum / targets, gradients)
    }
}

#[test]
fn loss_and_every_gradient_agree_with_peft() {
    for case in cases() {
        let lora = case.lora();
        let [kept, recomputed] =
            [Switch::Off, Switch::On].map(|recompute| case.loss_and_gradients(&lora, recompute));
        let (name, (loss, gradients)) = (&case.name, kept);
        let expected = numbers(&case.tensors["loss"])[0];
        assert!(
            (loss - expected).abs() < 1e-5 * expected,
            "{name}: {loss}, {expected}"
        );
        assert_eq!(recomputed.0, loss, "{name}");
        let mut compared = 0;
        for (parameter, gradient) in gradients.iter() {
            let golden = &case.tensors[&format!("gradients.{parameter}")];
            let size = numbers(golden)
                .iter()
                .fold(0f64, |most, g| most.max(g.abs()));
            // Relative to the largest entry: small gradients must agree too.
            let scaled = |tensor: &Tensor| (tensor / size).unwrap();
            let label = format!("{name}: {parameter}");
            assert_close(&label, &scaled(gradient), &scaled(golden), 1e-4);
            let again = recomputed.1.get(parameter).unwrap();
            assert_eq!(numbers(again), numbers(gradient), "{label}");
            compared += 1;
        }
        let goldens = case
            .tensors
            .keys()
            .filter(|key| key.starts_with("gradients."));
        assert_eq!(compared, goldens.count(), "{name}");
    }
}

#[test]
fn logits_agree_with_peft_at_once_and_token_by_token() {
    for case in cases() {
        let lora = case.lora();
        let additions = LowRank::new(&lora);
        let hidden = case
            .backbone
            .forward_with(case.tokens(), None, Some(&additions), |_, _| Ok(()))
            .unwrap();
        let logits = case.backbone.logits(&hidden).unwrap();
        let expected = case.tensors["logits"].flatten(0, 1).unwrap();
        assert_close(&case.name, &logits, &expected, 1e-4);

        let (_, seq) = case.tensors["input_ids"].dims2().unwrap();
        let mut generator = Generator::new(&case.backbone, Some(AdapterInUse::Lora(&lora)));
        generator.push(&case.ids[..seq / 2]).unwrap();
        let mut last = None;
        for id in &case.ids[seq / 2..seq] {
            last = Some(generator.push(&[*id]).unwrap());
        }
        let label = format!("{}, token by token", case.name);
        assert_close(
            &label,
            &last.unwrap(),
            &expected.get(seq - 1).unwrap(),
            1e-4,
        );
    }
}

#[test]
fn ten_steps_lose_what_peft_loses() {
    for case in cases() {
        let lora = case.lora();
        let number = |name: &str| case.settings[name].as_f64().unwrap();
        let settings = AdamWSettings {
            beta1: number("beta1"),
            beta2: number("beta2"),
            eps: number("eps"),
            weight_decay: number("weight_decay"),
            ..AdamWSettings::default()
        };
        let mut optimizer = AdamW::new(settings, lora.parameters()).unwrap();
        let clip = number("clip_norm");
        for (step, expected) in numbers(&case.tensors["losses"]).into_iter().enumerate() {
            let (loss, gradients) = case.loss_and_gradients(&lora, Switch::On);
            let error = (loss - expected).abs() / expected;
            assert!(
                error < 1e-4,
                "{}: loss {} is {loss}, PEFT's {expected}",
                case.name,
                step + 1
            );
            let norm = gradients.norm().unwrap();
            if norm > clip {
                gradients.scale(clip / (norm + 1e-6)).unwrap();
            }
            optimizer
                .update(lora.parameters(), &gradients, number("learning_rate"))
                .unwrap();
        }
    }
}

/// With `B` at zero the model is the base model, to the bit, and only `B` has a gradient.
#[test]
fn a_fresh_adapter_is_the_base_model() {
    for case in cases() {
        let fresh = Lora::initialize(case.lora().shape().clone(), 7).unwrap();
        let run = |additions: Option<&LowRank<'_>>| {
            let additions = additions.map(|additions| additions as _);
            let forward = case
                .backbone
                .forward_with(case.tokens(), None, additions, |_, _| Ok(()));
            numbers(&forward.unwrap())
        };
        assert_eq!(run(Some(&LowRank::new(&fresh))), run(None), "{}", case.name);
        let (_, gradients) = case.loss_and_gradients(&fresh, Switch::On);
        for (name, gradient) in gradients.iter() {
            let is_zero = numbers(gradient).iter().all(|g| *g == 0.0);
            assert_eq!(is_zero, name.ends_with("lora_a"), "{}: {name}", case.name);
        }
    }
}

/// What we export is what PEFT was seen to load (`tests/witness/exports.py`). With
/// `STEPLADDER_WRITE_EXPORTS` set the committed folders are written anew, for the witness to judge.
#[test]
fn exports_are_those_that_peft_loaded() {
    let write = std::env::var_os("STEPLADDER_WRITE_EXPORTS").is_some();
    for case in cases() {
        let name = &case.name;
        let committed = golden_path("exports").join(name);
        let temporary = tempfile::tempdir().unwrap();
        let folder = if write {
            committed.clone()
        } else {
            temporary.path().join("e")
        };
        let base = format!("backbones/{}", case.settings["backbone"].as_str().unwrap());
        peft::save(&folder, &case.lora(), &base, "model", &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
        for file in [peft::CONFIG, peft::TENSORS] {
            let read = |folder: &std::path::Path| std::fs::read(folder.join(file)).unwrap();
            assert!(read(&folder) == read(&committed), "{name}: {file} differs");
        }
        // And back again.
        let lora = peft::load(&folder, case.backbone.config()).unwrap();
        assert_eq!(lora.shape(), case.lora().shape(), "{name}");
        for (parameter, tensor) in lora.parameters().iter() {
            let expected = &case.tensors[&format!("parameters.{parameter}")];
            assert_eq!(numbers(tensor), numbers(expected), "{name}: {parameter}");
        }
    }
}

#[test]
fn folders_that_peft_saved_give_its_logits() {
    for name in ["llama3", "phi3"] {
        let folder = golden_path("peft").join(name);
        let backbone = backbones::decoder(name, backbones::config(name));
        let lora = peft::load(&folder, backbone.config()).unwrap();
        let golden = golden(&format!("peft/{name}/golden.safetensors"));
        let (batch, seq) = golden["input_ids"].dims2().unwrap();
        let (ids, positions) = (unsigned(&golden["input_ids"]), positions(batch, seq));
        let input = TokenInput {
            ids: &ids,
            positions: &positions,
            first_visible: &[],
            batch,
            seq,
        };
        let additions = LowRank::new(&lora);
        let hidden = backbone.forward_with(input, None, Some(&additions), |_, _| Ok(()));
        let logits = backbone.logits(&hidden.unwrap()).unwrap();
        let expected = golden["logits"].reshape(logits.shape()).unwrap();
        assert_close(name, &logits, &expected, 1e-4);
    }
}

#[test]
fn peft_folders_that_ask_for_more_are_refused_by_name() {
    let source = golden_path("peft/llama3");
    let config = backbones::config("llama3");
    let refusal = |field: &str, value: serde_json::Value| {
        let folder = tempfile::tempdir().unwrap();
        let text = std::fs::read(source.join(peft::CONFIG)).unwrap();
        let mut json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        json[field] = value;
        std::fs::write(folder.path().join(peft::CONFIG), json.to_string()).unwrap();
        std::fs::copy(
            source.join(peft::TENSORS),
            folder.path().join(peft::TENSORS),
        )
        .unwrap();
        peft::load(folder.path(), &config)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    use serde_json::json;
    for (field, value, said) in [
        ("peft_type", json!("IA3"), "peft_type is \"IA3\""),
        ("use_dora", json!(true), "use_dora is set"),
        ("lora_bias", json!(true), "lora_bias is set"),
        ("arrow_config", json!({"top_k": 3}), "arrow_config is set"),
        ("bias", json!("all"), "bias is \"all\""),
        ("modules_to_save", json!(["lm_head"]), "modules_to_save"),
        ("rank_pattern", json!({"q_proj": 2}), "rank_pattern"),
        ("r", json!(0), "r is 0"),
        ("r", json!(7), "has shape"),
        ("lora_alpha", json!("x"), "invalid type"),
    ] {
        let message = refusal(field, value);
        assert!(message.contains(said), "{field}: {message}");
    }
    // Another model's adapter does not fit.
    let error = peft::load(&source, &backbones::config("qwen3"))
        .map(|_| ())
        .unwrap_err();
    assert!(
        error.to_string().contains("tensor base_model.") || error.to_string().contains("has shape"),
        "{error}"
    );
}
