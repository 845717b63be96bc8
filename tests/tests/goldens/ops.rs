//! Every operation's forward and backward, against PyTorch's autograd.

use std::collections::HashMap;

use candle_core::{DType, Tensor};
use stepladder_engine::ops::attention::Attention;
use stepladder_engine::ops::frozen_linear::FrozenLinear;
use stepladder_engine::ops::frozen_matrix::FrozenMatrix;
use stepladder_engine::ops::linear_cross_entropy::{Gradient, linear_cross_entropy};
use stepladder_engine::ops::rms_norm::{rms_norm, rms_norm_backward};
use stepladder_engine::ops::rope::{RotaryEmbedding, Rotation, rotate};
use stepladder_engine::ops::swiglu::{swiglu, swiglu_backward};
use stepladder_tests::{assert_close, golden, golden_path, unsigned};

const TOLERANCE: f64 = 1e-5;

struct Case {
    name: String,
    tensors: HashMap<String, Tensor>,
    settings: serde_json::Value,
}

impl Case {
    fn named(name: &str) -> Self {
        let text = std::fs::read(golden_path("ops.json")).unwrap();
        let all: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let settings = all[name].clone();
        assert!(settings.is_object(), "no case {name}");
        let prefix = format!("{name}.");
        let tensors = golden("ops.safetensors")
            .into_iter()
            .filter_map(|(key, tensor)| Some((key.strip_prefix(&prefix)?.to_owned(), tensor)))
            .collect();
        Self {
            name: name.to_owned(),
            tensors,
            settings,
        }
    }

    fn tensor(&self, name: &str) -> &Tensor {
        &self.tensors[name]
    }

    /// Token-major: all leading axes become rows.
    fn rows(&self, name: &str, trailing: usize) -> Tensor {
        let tensor = self.tensor(name);
        let dims = tensor.dims();
        let width: usize = dims[dims.len() - trailing..].iter().product();
        tensor
            .reshape((tensor.elem_count() / width, width))
            .unwrap()
    }

    fn number(&self, name: &str) -> f64 {
        self.settings[name].as_f64().unwrap()
    }

    fn check(&self, name: &str, ours: &Tensor) {
        assert_close(
            &format!("{}.{name}", self.name),
            ours,
            self.tensor(name),
            TOLERANCE,
        );
    }
}

#[test]
fn rms_norm_and_its_gradient() {
    for (name, weighted) in [("rms_norm", true), ("rms_norm_plain", false)] {
        let case = Case::named(name);
        let weight = weighted.then(|| case.tensor("weight").clone());
        let (x, eps) = (case.rows("x", 1), case.number("eps"));
        case.check("y", &rms_norm(&x, weight.as_ref(), eps).unwrap());
        let grad = case.rows("grad_y", 1);
        case.check(
            "grad_x",
            &rms_norm_backward(&x, weight.as_ref(), eps, &grad).unwrap(),
        );
    }
}

#[test]
fn rope_and_its_gradient() {
    let case = Case::named("rope");
    let head_dim = case.tensor("x").dim(3).unwrap();
    let angles = RotaryEmbedding::plain(case.number("theta"), head_dim)
        .angles(&unsigned(case.tensor("positions")));
    for (from, to, rotation) in [
        ("x", "y", Rotation::Forward),
        ("grad_y", "grad_x", Rotation::Backward),
    ] {
        let tensor = case.rows(from, 2).copy().unwrap();
        rotate(&tensor, head_dim, &angles, rotation).unwrap();
        case.check(to, &tensor);
    }
}

#[test]
fn swiglu_and_its_gradients() {
    let case = Case::named("silu_mul");
    let (gate, up) = (case.tensor("gate"), case.tensor("up"));
    case.check("y", &swiglu(gate, up).unwrap());
    let (d_gate, d_up) = swiglu_backward(gate, up, case.tensor("grad_y")).unwrap();
    case.check("grad_gate", &d_gate);
    case.check("grad_up", &d_up);
}

#[test]
fn attention_and_its_gradients() {
    for name in [
        "attention_plain",
        "attention_documents",
        "attention_window_softcap",
        "attention_ragged",
    ] {
        let case = Case::named(name);
        let first_visible = unsigned(case.tensor("first_visible"));
        let (batch, seq, heads, head_dim) = case.tensor("q").dims4().unwrap();
        let attention = Attention {
            batch,
            queries: seq,
            keys: seq,
            key_capacity: seq,
            heads,
            kv_heads: case.tensor("k").dim(2).unwrap(),
            head_dim,
            scale: (head_dim as f64).sqrt().recip(),
            soft_cap: case.settings["soft_cap"].as_f64(),
            window: case.settings["window"]
                .as_u64()
                .map(|window| window as usize),
            first_visible: &first_visible,
        };
        let (q, k, v) = (case.rows("q", 2), case.rows("k", 2), case.rows("v", 2));
        let attended = attention.forward(&q, &k, &v).unwrap();
        case.check("y", &attended.output);
        let grad = case.rows("grad_y", 2);
        let gradients = attention.backward((&q, &k, &v), &attended, &grad).unwrap();
        case.check("grad_q", &gradients.queries);
        case.check("grad_k", &gradients.keys);
        case.check("grad_v", &gradients.values);
    }
}

#[test]
fn linear_cross_entropy_and_its_gradient() {
    for name in ["linear_cross_entropy", "linear_cross_entropy_bias_softcap"] {
        let case = Case::named(name);
        let bias = case.tensors.get("head_bias").cloned();
        let head = FrozenLinear::new(
            FrozenMatrix::dense(case.tensor("head_weight")).unwrap(),
            bias,
        )
        .unwrap();
        let targets = unsigned(case.tensor("targets"));
        let upstream = case.tensor("grad_loss").to_dtype(DType::F64).unwrap();
        let upstream = upstream.to_scalar::<f64>().unwrap();
        let soft_cap = case.settings["soft_cap"].as_f64();
        for gradient in [Gradient::Scaled(upstream), Gradient::Skip] {
            let result =
                linear_cross_entropy(case.tensor("hidden"), &head, soft_cap, &targets, gradient)
                    .unwrap();
            case.check(
                "loss",
                &Tensor::new(result.loss_sum, case.tensor("loss").device()).unwrap(),
            );
            match (gradient, result.hidden_gradient) {
                (Gradient::Scaled(_), Some(ours)) => case.check("grad_hidden", &ours),
                (Gradient::Skip, None) => {}
                _ => panic!("{name}: a gradient was made exactly when it was not asked for"),
            }
        }
    }
}
