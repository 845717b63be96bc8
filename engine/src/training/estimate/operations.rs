//! Multiplications and additions that training takes for each token: matrix products, which is where
//! the time goes.

use stepladder_protocol::Switch;

use crate::adapters::network::AdapterShape;
use crate::memory::weights::linear_shapes;
use crate::models::config::DecoderConfig;
use crate::training::plan::ModelPlan;

/// A product has a multiplication and an addition for each weight.
const PER_WEIGHT: f64 = 2.0;
/// Of the tokens of a conversation, those that are answers and so have a loss. What a dataset really
/// has is known only when it is read.
const TARGETS: f64 = 0.5;
/// Queries with keys, and scores with values.
const ATTENTION_FORWARD: f64 = 2.0;
/// The scores again, then gradients of scores, values, queries and keys.
const ATTENTION_BACKWARD: f64 = 5.0;

/// How often each thing is done in a step.
struct Passes {
    backbone_forward: f64,
    backbone_backward: f64,
    adapter: f64,
}

/// Operations for each token of rows of `context` tokens.
pub(super) fn per_token(model: &DecoderConfig, plan: &ModelPlan) -> f64 {
    let passes = Passes::of(plan);
    let blocks: u64 = linear_shapes(model)
        .iter()
        .map(|(rows, columns)| rows * columns)
        .sum();
    let blocks = PER_WEIGHT * (model.layers as u64 * blocks) as f64;
    let backbone_attention = {
        let keys: f64 = (0..model.layers)
            .map(|layer| keys(plan.context, model.windows.get(layer).copied().flatten()))
            .sum();
        keys * (model.heads * model.head_dim) as f64
    };
    let backbone = passes.backbone_forward
        * (blocks + attention(ATTENTION_FORWARD, backbone_attention))
        + passes.backbone_backward * (blocks + attention(ATTENTION_BACKWARD, backbone_attention));
    // Logits, and the gradient of what they were made from.
    let head = 2.0 * TARGETS * PER_WEIGHT * (model.vocabulary * model.d_model) as f64;
    let adapter = passes.adapter * PER_WEIGHT * plan.shape.parameters() as f64;
    backbone + head + adapter + side_attention(plan)
}

impl Passes {
    fn of(plan: &ModelPlan) -> Self {
        let is_on = |switch: Switch| f64::from(u8::from(switch == Switch::On));
        let recompute = is_on(plan.training.recompute);
        // Forward, the gradient of the input and that of the weight.
        let adapter = 3.0 + recompute;
        match &plan.shape {
            AdapterShape::Wiring(_) => Self {
                backbone_forward: 1.0 + is_on(plan.training.recompute_taps),
                backbone_backward: 0.0,
                adapter,
            },
            AdapterShape::Lora(_) => Self {
                backbone_forward: 1.0 + recompute,
                backbone_backward: 1.0,
                adapter,
            },
        }
    }
}

fn attention(products: f64, keys_by_width: f64) -> f64 {
    products * PER_WEIGHT * keys_by_width
}

fn side_attention(plan: &ModelPlan) -> f64 {
    let AdapterShape::Wiring(wiring) = &plan.shape else {
        return 0.0;
    };
    let keys = wiring.side_layers() as f64 * keys(plan.context, None) * wiring.d_side as f64;
    let forward = Passes::of(plan).adapter - 2.0;
    forward * attention(ATTENTION_FORWARD, keys) + attention(ATTENTION_BACKWARD, keys)
}

/// Keys that a token sees, on average over a row.
fn keys(context: usize, window: Option<usize>) -> f64 {
    let all = context as f64 / 2.0;
    match window {
        Some(window) => all.min(window as f64),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::estimate::EstimatedModel;
    use stepladder_protocol::{Method, RunConfig};

    /// The model's own and the method's, in operations for each weight of its blocks.
    fn per_weight(method: Method, change: impl Fn(&mut RunConfig)) -> f64 {
        let model = EstimatedModel::open("llama-3.1-8b").unwrap().config;
        let mut config = RunConfig {
            method,
            context: Some(512),
            recompute: Some(Switch::Off),
            ..RunConfig::default()
        };
        change(&mut config);
        let plan = ModelPlan::resolve(&config, &model).unwrap();
        let head = 128_256.0 * 4096.0;
        let blocks = model.parameters() as f64 - 2.0 * head - 65.0 * 4096.0;
        per_token(&model, &plan) / blocks
    }

    #[test]
    fn a_side_network_needs_no_backward_of_the_backbone() {
        let none = |_: &mut RunConfig| {};
        let ladder = per_weight(Method::Ladder, none);
        // Twice for each weight, a sixth for the head, and the side network.
        assert!((2.2..3.2).contains(&ladder), "{ladder}");
        let lora = per_weight(Method::Lora, none);
        assert!((4.2..4.6).contains(&lora), "{lora}");
        let recomputed = per_weight(Method::Lora, |config| config.recompute = Some(Switch::On));
        assert!((2.0..2.1).contains(&(recomputed - lora)), "{recomputed}");
        let taps = per_weight(Method::Ladder, |config| config.recompute_taps = Switch::On);
        assert!((2.0..2.1).contains(&(taps - ladder)), "{taps}");
        let long = per_weight(Method::Ladder, |config| config.context = Some(32_768));
        assert!(long > 1.5 * ladder, "{long}");
    }

    #[test]
    fn a_window_bounds_what_attention_takes() {
        assert_eq!(keys(1000, None), 500.0);
        assert_eq!(keys(1000, Some(100)), 100.0);
        assert_eq!(keys(100, Some(100)), 50.0);
    }
}
