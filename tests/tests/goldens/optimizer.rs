//! AdamW and clipping against torch.optim, and ten training losses against the twin.

use std::collections::BTreeMap;

use candle_core::{IndexOp, Tensor};
use stepladder_engine::adapters::ladder::training_pass::SideTraining;
use stepladder_engine::adapters::parameters::Parameters;
use stepladder_engine::training::optimizer::moments::TensorMoments;
use stepladder_engine::training::optimizer::{AdamW, AdamWSettings, DecayGroup};
use stepladder_protocol::Optimizer;
use stepladder_tests::{assert_close, golden, golden_path, numbers};

use super::ladders::{CASES, Case};

fn single(name: &str, tensor: Tensor) -> Parameters {
    Parameters::new(BTreeMap::from([(name.to_owned(), tensor)]))
}

#[test]
fn adamw_is_pytorchs() {
    let text = std::fs::read(golden_path("ops.json")).unwrap();
    let settings: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let tensors = golden("ops.safetensors");
    for case in ["adamw", "adamw_weight_decay"] {
        let number = |name: &str| settings[case][name].as_f64().unwrap();
        let tensor = |name: &str| &tensors[&format!("{case}.{name}")];
        let parameters = single("p", tensor("initial").copy().unwrap());
        let mut optimizer = AdamW::new(
            AdamWSettings {
                optimizer: Optimizer::AdamW,
                beta1: number("beta1"),
                beta2: number("beta2"),
                eps: number("eps"),
                weight_decay: number("weight_decay"),
                decayed: DecayGroup::All,
            },
            &parameters,
        )
        .unwrap();
        let steps = tensor("gradients").dim(0).unwrap();
        for step in 0..steps {
            let gradients = single("p", tensor("gradients").i(step).unwrap().copy().unwrap());
            optimizer
                .update(&parameters, &gradients, number("learning_rate"))
                .unwrap();
            let Some(TensorMoments::F32 { first, second }) = optimizer.moments().get("p") else {
                panic!("moments are f32");
            };
            for (name, ours) in [
                ("parameters", parameters.get("p").unwrap()),
                ("exp_avg", first),
                ("exp_avg_sq", second),
            ] {
                let golden = tensor(name).i(step).unwrap();
                let label = format!("{case}: {name} after step {}", step + 1);
                assert_close(&label, ours, &golden, 1e-6);
            }
        }
    }
}

#[test]
fn ten_training_losses_agree_with_the_twin() {
    for name in CASES {
        let case = Case::load(name);
        let network = case.network();
        let number = |name: &str| case.settings[name].as_f64().unwrap();
        let mut optimizer = AdamW::new(
            AdamWSettings {
                optimizer: Optimizer::AdamW,
                beta1: number("beta1"),
                beta2: number("beta2"),
                eps: number("eps"),
                weight_decay: number("weight_decay"),
                decayed: DecayGroup::All,
            },
            network.parameters(),
        )
        .unwrap();
        let clip = number("clip_norm");
        for (step, expected) in numbers(&case.tensors["losses"]).into_iter().enumerate() {
            let (loss, gradients) = case.loss_and_gradients(&network, SideTraining::default());
            let error = (loss - expected).abs() / expected;
            assert!(
                error < 1e-4,
                "{name}: loss {} is {loss}, the twin's {expected}",
                step + 1
            );
            let norm = gradients.norm().unwrap();
            if norm > clip {
                gradients.scale(clip / (norm + 1e-6)).unwrap();
            }
            optimizer
                .update(network.parameters(), &gradients, number("learning_rate"))
                .unwrap();
        }
    }
}

#[test]
fn the_gradient_norm_is_pytorchs() {
    let tensors = golden("ops.safetensors");
    for case in ["clip", "clip_below"] {
        let tensor = |name: &str| tensors[&format!("{case}.{name}")].copy().unwrap();
        let gradients = Parameters::new(BTreeMap::from([
            ("a".to_owned(), tensor("a")),
            ("b".to_owned(), tensor("b")),
        ]));
        let expected = numbers(&tensor("total_norm"))[0];
        assert!((gradients.norm().unwrap() - expected).abs() < 1e-5 * expected.max(1.0));
    }
}
