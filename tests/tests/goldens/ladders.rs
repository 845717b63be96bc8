//! The side network beside its PyTorch twin: loss, every gradient, logits.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use serde_json::Value;
use stepladder_engine::adapters::kept::KeptStates;
use stepladder_engine::adapters::ladder::training_pass::SideTraining;
use stepladder_engine::adapters::ladder::wiring::SideMethod;
use stepladder_engine::adapters::ladder::{SideNetwork, Wiring};
use stepladder_engine::adapters::parameters::Parameters;
use stepladder_engine::adapters::targets::TargetedInput;
use stepladder_engine::models::decoder::{Decoder, TokenInput};
use stepladder_engine::ops::elementwise::gather_rows;
use stepladder_engine::ops::linear_cross_entropy::Gradient;
use stepladder_protocol::{Downsample, Inject, Switch, TapDtype};
use stepladder_tests::{assert_close, golden, golden_path, numbers, positions, unsigned};

use super::backbones;

pub const CASES: [&str; 5] = [
    "ladder-linear-sum-llama3",
    "ladder-linear-gate-qwen3",
    "xladder-shared-sum-qwen2",
    "xladder-adapter-gate-llama2",
    "ladder-linear-sum-qwen2-tied-bf16",
];

pub struct Case {
    pub settings: Value,
    pub tensors: std::collections::HashMap<String, Tensor>,
    pub backbone: Decoder,
    ids: Vec<u32>,
    positions: Vec<u32>,
    target_rows: Vec<u32>,
    target_ids: Vec<u32>,
}

impl Case {
    pub fn load(name: &'static str) -> Self {
        let text = std::fs::read(golden_path(&format!("ladders/{name}.json"))).unwrap();
        let settings: Value = serde_json::from_slice(&text).unwrap();
        let tensors = golden(&format!("ladders/{name}.safetensors"));
        let backbone = settings["backbone"].as_str().unwrap();
        let (batch, seq) = tensors["input_ids"].dims2().unwrap();
        // The label of position t is token t + 1: hidden state t predicts it.
        let (mut target_rows, mut target_ids) = (Vec::new(), Vec::new());
        for (row, target) in numbers(&tensors["targets"]).into_iter().enumerate() {
            if target >= 0.0 {
                target_rows.push(row as u32);
                target_ids.push(target as u32);
            }
        }
        Self {
            backbone: backbones::decoder(backbone, backbones::config(backbone)),
            ids: unsigned(&tensors["input_ids"]),
            positions: positions(batch, seq),
            target_rows,
            target_ids,
            settings,
            tensors,
        }
    }

    fn wiring(&self) -> Wiring {
        let number = |name: &str| self.settings[name].as_u64().unwrap() as usize;
        let free_layers = number("free_layers");
        Wiring {
            method: if free_layers > 0 {
                SideMethod::Xladder
            } else {
                SideMethod::Ladder
            },
            d_model: self.backbone.config().d_model,
            d_side: number("d_side"),
            heads: number("heads"),
            d_ff: number("d_ff"),
            taps: serde_json::from_value(self.settings["taps"].clone()).unwrap(),
            free_layers,
            downsample: serde_json::from_value::<Downsample>(self.settings["downsample"].clone())
                .unwrap(),
            inject: serde_json::from_value::<Inject>(self.settings["inject"].clone()).unwrap(),
            norm_eps: self.backbone.config().norm_eps,
        }
    }

    /// The network with copies of the golden parameters.
    pub fn network(&self) -> SideNetwork {
        let parameters: BTreeMap<String, Tensor> = self
            .tensors
            .iter()
            .filter_map(|(name, tensor)| {
                Some((
                    name.strip_prefix("parameters.")?.to_owned(),
                    tensor.copy().unwrap(),
                ))
            })
            .collect();
        SideNetwork::from_parameters(self.wiring(), Parameters::new(parameters)).unwrap()
    }

    pub fn tokens(&self) -> TokenInput<'_> {
        let (batch, seq) = self.tensors["input_ids"].dims2().unwrap();
        TokenInput {
            ids: &self.ids,
            positions: &self.positions,
            first_visible: &[],
            batch,
            seq,
        }
    }

    pub fn input(&self) -> TargetedInput<'_> {
        TargetedInput {
            tokens: self.tokens(),
            target_rows: &self.target_rows,
            target_ids: &self.target_ids,
        }
    }

    /// Mean loss per target, and the gradients.
    pub fn loss_and_gradients(
        &self,
        network: &SideNetwork,
        training: SideTraining,
    ) -> (f64, Parameters) {
        let gradients = network.parameters().zeros_like().unwrap();
        let targets = self.target_rows.len() as f64;
        let gradient = Gradient::Scaled(1.0 / targets);
        let sum = network
            .loss(&self.backbone, self.input(), training, gradient, &gradients)
            .unwrap();
        (sum / targets, gradients)
    }
}

#[test]
fn loss_and_every_gradient_agree_with_the_twin() {
    for name in CASES {
        let case = Case::load(name);
        let network = case.network();
        let (on, off) = (Switch::On, Switch::Off);
        for (recompute, recompute_taps) in [(off, off), (on, off), (off, on), (on, on)] {
            let training = SideTraining {
                recompute,
                recompute_taps,
                taps: KeptStates::default(),
            };
            let (loss, gradients) = case.loss_and_gradients(&network, training);
            let expected = numbers(&case.tensors["loss"])[0];
            assert!(
                (loss - expected).abs() < 1e-5 * expected,
                "{name}: loss {loss} / {expected}"
            );
            let mut compared = 0;
            for (parameter, gradient) in gradients.iter() {
                let golden = &case.tensors[&format!("gradients.{parameter}")];
                let size = numbers(golden)
                    .iter()
                    .fold(0f64, |most, value| most.max(value.abs()));
                // Relative to the largest entry: small gradients must agree too.
                let scaled = (gradient / size).unwrap();
                let golden = (golden / size).unwrap();
                assert_close(&format!("{name}: {parameter}"), &scaled, &golden, 1e-4);
                compared += 1;
            }
            assert_eq!(
                compared,
                case.tensors
                    .keys()
                    .filter(|key| key.starts_with("gradients."))
                    .count()
            );
        }
    }
}

#[test]
fn logits_agree_with_the_twin() {
    for name in CASES {
        let case = Case::load(name);
        let network = case.network();
        let (hidden, side) = network
            .run(&case.backbone, case.tokens(), None, TapDtype::F32)
            .unwrap();
        let rows = |x: &Tensor| gather_rows(x, &case.target_rows).unwrap();
        let shifted = network.upsample(&rows(&hidden), &rows(&side)).unwrap();
        let logits = case.backbone.logits(&shifted).unwrap();
        assert_close(
            &format!("{name}: logits"),
            &logits,
            &case.tensors["logits_at_targets"],
            1e-4,
        );
    }
}

/// At the start the upsample is zero: the model is the base model, to the bit, and only the
/// upsample has a gradient.
#[test]
fn a_fresh_adapter_is_the_base_model() {
    for name in CASES {
        let case = Case::load(name);
        let network = SideNetwork::initialize(case.wiring(), 7).unwrap();
        let (hidden, side) = network
            .run(&case.backbone, case.tokens(), None, TapDtype::F32)
            .unwrap();
        let shifted = network.upsample(&hidden, &side).unwrap();
        let ours = case.backbone.logits(&shifted).unwrap();
        let base = case.backbone.logits(&hidden).unwrap();
        assert_eq!(
            ours.to_vec2::<f32>().unwrap(),
            base.to_vec2::<f32>().unwrap(),
            "{name}: logits of a fresh adapter"
        );
        let (_, gradients) = case.loss_and_gradients(&network, SideTraining::default());
        for (parameter, gradient) in gradients.iter() {
            let largest = numbers(gradient)
                .into_iter()
                .fold(0f64, |most, g| most.max(g.abs()));
            assert_eq!(
                largest > 0.0,
                parameter.starts_with("upsample"),
                "{name}: {parameter}"
            );
        }
    }
}

#[test]
fn taps_in_16_bits_are_rounded_and_nothing_else() {
    let case = Case::load(CASES[0]);
    let network = case.network();
    let exact = case.loss_and_gradients(&network, SideTraining::default()).0;
    for tap_dtype in [TapDtype::Bf16, TapDtype::F16] {
        let training = SideTraining {
            taps: KeptStates {
                dtype: tap_dtype,
                in_ram: Switch::On,
            },
            ..SideTraining::default()
        };
        let (rounded, gradients) = case.loss_and_gradients(&network, training);
        let again = SideTraining {
            recompute: Switch::On,
            recompute_taps: Switch::On,
            ..training
        };
        // Made again, they are rounded alike.
        let again = case.loss_and_gradients(&network, again);
        assert_eq!(again.0, rounded);
        for (name, gradient) in gradients.iter() {
            let again = again.1.get(name).unwrap();
            assert_eq!(numbers(again), numbers(gradient), "{tap_dtype:?}: {name}");
        }
        let change = (rounded - exact).abs() / exact;
        assert!(
            change > 0.0 && change < 2e-2,
            "{tap_dtype:?} changes the loss by {change}"
        );
    }
}

#[test]
fn a_cached_side_network_equals_the_whole() {
    use stepladder_engine::models::kv_cache::KvCache;
    for name in CASES {
        let case = Case::load(name);
        let network = case.network();
        let whole = case.tokens();
        let seq = whole.seq;
        let mut taps = Vec::new();
        case.backbone
            .forward(whole, None, |layer, output| {
                if network.layer_at(layer).is_some() {
                    taps.push(output.copy()?);
                }
                Ok(())
            })
            .unwrap();
        let expected = network.forward(&taps, whole, None).unwrap();
        let mut cache = KvCache::new(network.wiring().side_layers());
        let mut parts = vec![Vec::new(); whole.batch];
        for (start, end) in [(0, 5), (5, 6), (6, 20), (20, seq)] {
            let count = end - start;
            let positions: Vec<u32> = (0..whole.batch)
                .flat_map(|_| start as u32..end as u32)
                .collect();
            let rows: Vec<u32> = (0..whole.batch)
                .flat_map(|row| (row * seq + start) as u32..(row * seq + end) as u32)
                .collect();
            let taps: Vec<Tensor> = taps
                .iter()
                .map(|tap| gather_rows(tap, &rows).unwrap())
                .collect();
            let input = TokenInput {
                ids: &[],
                positions: &positions,
                first_visible: &[],
                batch: whole.batch,
                seq: count,
            };
            let output = network.forward(&taps, input, Some(&mut cache)).unwrap();
            for (row, parts) in parts.iter_mut().enumerate() {
                parts.push(output.narrow(0, row * count, count).unwrap());
            }
        }
        let rows: Vec<Tensor> = parts
            .iter()
            .map(|row| Tensor::cat(row, 0).unwrap())
            .collect();
        let ours = Tensor::cat(&rows, 0).unwrap().to_dtype(DType::F32).unwrap();
        assert_close(&format!("{name}: cached"), &ours, &expected, 1e-4);
    }
}
