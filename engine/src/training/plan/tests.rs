//! Plans of the built-in model.

use super::*;
use crate::models::quantization::Quantization;

fn resolve(config: &RunConfig, examples: usize) -> Result<RunPlan> {
    let model = crate::models::model::ModelFiles::open("builtin").unwrap();
    let model = ModelPlan::resolve(config, &model.config)?;
    RunPlan::resolve(config, &model, &vec![20; examples])
}

#[test]
fn methods_have_their_own_defaults() {
    let of = |method, quantize_head| {
        let config = RunConfig {
            method,
            quantize_head,
            ..RunConfig::default()
        };
        let model = crate::models::model::ModelFiles::open("builtin").unwrap();
        let model = ModelPlan::resolve(&config, &model.config).unwrap();
        let plan = RunPlan::resolve(&config, &model, &[20; 32]).unwrap();
        let recompute = plan.training.recompute;
        (
            model.learning_rate,
            plan.clip_norm,
            recompute,
            model.quantization,
        )
    };
    let double = Quantization::Nf4DoubleQuantized;
    let (stored, nf4) = (
        BackboneQuantization::AS_STORED,
        BackboneQuantization::of_blocks(double),
    );
    for (method, rate, clip, recompute, kept) in [
        (Method::Ladder, 5e-4, 1.0, Switch::Off, stored),
        (Method::Xladder, 5e-4, 1.0, Switch::Off, stored),
        (Method::Lora, 2e-4, 0.3, Switch::On, stored),
        (Method::Qlora, 2e-4, 0.3, Switch::On, nf4),
    ] {
        assert_eq!(of(method, Switch::Off), (rate, clip, recompute, kept));
        // The head is asked for by itself.
        let kept = kept.with_head(double);
        assert_eq!(of(method, Switch::On), (rate, clip, recompute, kept));
    }
    let contradiction = RunConfig {
        method: Method::Qlora,
        quantize: Quantize::None,
        ..RunConfig::default()
    };
    let error = resolve(&contradiction, 10).unwrap_err().to_string();
    assert!(error.starts_with("quantize: is none, but QLoRA"), "{error}");
}

#[test]
fn the_default_config_is_a_plan() {
    let plan = resolve(&RunConfig::default(), 570).unwrap();
    assert_eq!(plan.stream.steps(), 107);
    assert_eq!(
        (
            plan.layout.batch_size,
            plan.evaluate_every,
            plan.checkpoint_every
        ),
        (4, 11, 11)
    );
}

#[test]
fn what_cannot_be_is_named() {
    let message = |change: fn(&mut RunConfig)| {
        let mut config = RunConfig::default();
        change(&mut config);
        resolve(&config, 10).unwrap_err().to_string()
    };
    assert_eq!(message(|c| c.batch_size = 0), "batch_size: is 0");
    assert_eq!(
        message(|c| c.effective_batch_size = 6),
        "effective_batch_size: 6 is not a multiple of batch_size (4)"
    );
    assert_eq!(
        message(|c| c.learning_rate = Some(f64::NAN)),
        "learning_rate: is NaN"
    );
    assert_eq!(message(|c| c.steps = Some(0)), "steps: is 0");
    assert_eq!(message(|c| c.epochs = -1.0), "epochs: is -1");
    assert_eq!(
        message(|c| c.held_out_fraction = 1.5),
        "held_out_fraction: is 1.5"
    );
    assert_eq!(
        message(|c| c.evaluate_every = Some(0)),
        "evaluate_every: is 0"
    );
}
