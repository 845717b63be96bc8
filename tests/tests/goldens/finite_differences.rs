//! Hand-written backwards against central differences in f64: step 1e-5, relative error 1e-6.

use candle_core::{Device, Tensor};
use rand_like::numbers;
use stepladder_engine::ops::attention::Attention;
use stepladder_engine::ops::elementwise::{add_rows, gather_rows};
use stepladder_engine::ops::frozen_linear::FrozenLinear;
use stepladder_engine::ops::frozen_matrix::FrozenMatrix;
use stepladder_engine::ops::geglu::{geglu, geglu_backward};
use stepladder_engine::ops::linear::{
    accumulate_bias_gradient, accumulate_weight_gradient, linear, linear_backward_input,
};
use stepladder_engine::ops::linear_cross_entropy::{Gradient, linear_cross_entropy};
use stepladder_engine::ops::rms_norm::{rms_norm, rms_norm_backward};
use stepladder_engine::ops::rope::{RotaryEmbedding, Rotation, rotate};
use stepladder_engine::ops::swiglu::{silu, silu_backward, swiglu, swiglu_backward};

mod rand_like {
    /// Numbers in -1..1 from a fixed linear congruence; another stream per seed.
    pub fn numbers(count: usize, seed: u64) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        (0..count)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
            })
            .collect()
    }
}

fn tensor(shape: &[usize], seed: u64) -> Tensor {
    Tensor::from_vec(numbers(shape.iter().product(), seed), shape, &Device::Cpu).unwrap()
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    (a * b)
        .unwrap()
        .sum_all()
        .unwrap()
        .to_scalar::<f64>()
        .unwrap()
}

/// Compares `gradient` with the slope of `loss` in every coordinate of `at`.
fn check(name: &str, at: &Tensor, gradient: &Tensor, loss: impl Fn(&Tensor) -> f64) {
    const STEP: f64 = 1e-5;
    let values = at.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let ours = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    assert_eq!(values.len(), ours.len(), "{name}: shape");
    let size = ours.iter().fold(0f64, |most, value| most.max(value.abs()));
    assert!(
        size > 1e-3,
        "{name}: the gradient is (almost) zero, so nothing is compared"
    );
    for index in 0..values.len() {
        let at_offset = |offset: f64| {
            let mut moved = values.clone();
            moved[index] += offset;
            loss(&Tensor::from_vec(moved, at.shape(), &Device::Cpu).unwrap())
        };
        let slope = (at_offset(STEP) - at_offset(-STEP)) / (2.0 * STEP);
        let error = (slope - ours[index]).abs() / size.max(1.0);
        assert!(
            error < 1e-6,
            "{name}[{index}]: ours {} slope {slope}",
            ours[index]
        );
    }
}

#[test]
fn rms_norm_slopes() {
    let (x, w, g) = (tensor(&[3, 20], 1), tensor(&[20], 2), tensor(&[3, 20], 3));
    for weight in [None, Some(&w)] {
        let ours = rms_norm_backward(&x, weight, 1e-3, &g).unwrap();
        check("rms_norm", &x, &ours, |x| {
            dot(&rms_norm(x, weight, 1e-3).unwrap(), &g)
        });
    }
}

#[test]
fn rope_slopes() {
    let (x, g) = (tensor(&[4, 12], 1), tensor(&[4, 12], 2));
    let angles = RotaryEmbedding::plain(100.0, 6).angles(&[0, 5, 1, 9]);
    let turned = |x: &Tensor, rotation| {
        let x = x.copy().unwrap();
        rotate(&x, 6, &angles, rotation).unwrap();
        x
    };
    check("rope", &x, &turned(&g, Rotation::Backward), |x| {
        dot(&turned(x, Rotation::Forward), &g)
    });
}

#[test]
fn swiglu_and_silu_slopes() {
    let (gate, up, g) = (tensor(&[3, 7], 1), tensor(&[3, 7], 2), tensor(&[3, 7], 3));
    let (d_gate, d_up) = swiglu_backward(&gate, &up, &g).unwrap();
    check("swiglu gate", &gate, &d_gate, |gate| {
        dot(&swiglu(gate, &up).unwrap(), &g)
    });
    check("swiglu up", &up, &d_up, |up| {
        dot(&swiglu(&gate, up).unwrap(), &g)
    });
    check("silu", &gate, &silu_backward(&gate, &g).unwrap(), |x| {
        dot(&silu(x).unwrap(), &g)
    });
}

#[test]
fn geglu_slopes() {
    let (gate, up, g) = (tensor(&[3, 7], 1), tensor(&[3, 7], 2), tensor(&[3, 7], 3));
    let gate = (gate * 3.0).unwrap();
    let (d_gate, d_up) = geglu_backward(&gate, &up, &g).unwrap();
    check("geglu gate", &gate, &d_gate, |gate| {
        dot(&geglu(gate, &up).unwrap(), &g)
    });
    check("geglu up", &up, &d_up, |up| {
        dot(&geglu(&gate, up).unwrap(), &g)
    });
}

#[test]
fn linear_slopes() {
    let (x, w, b, g) = (
        tensor(&[5, 6], 1),
        tensor(&[4, 6], 2),
        tensor(&[4], 3),
        tensor(&[5, 4], 4),
    );
    check(
        "linear x",
        &x,
        &linear_backward_input(&w, &g).unwrap(),
        |x| dot(&linear(x, &w, Some(&b)).unwrap(), &g),
    );
    let d_w = w.zeros_like().unwrap();
    accumulate_weight_gradient(&d_w, &x, &g).unwrap();
    check("linear weight", &w, &d_w, |w| {
        dot(&linear(&x, w, Some(&b)).unwrap(), &g)
    });
    let d_b = b.zeros_like().unwrap();
    accumulate_bias_gradient(&d_b, &g).unwrap();
    check("linear bias", &b, &d_b, |b| {
        dot(&linear(&x, &w, Some(b)).unwrap(), &g)
    });
    accumulate_bias_gradient(&d_b, &g).unwrap();
    let doubled = (&d_b / 2.0).unwrap();
    check("linear bias, accumulated", &b, &doubled, |b| {
        dot(&linear(&x, &w, Some(b)).unwrap(), &g)
    });

    let frozen = FrozenLinear::new(FrozenMatrix::dense(&w).unwrap(), Some(b.clone())).unwrap();
    check(
        "frozen linear",
        &x,
        &frozen.backward_input(&g).unwrap(),
        |x| dot(&frozen.forward(x).unwrap(), &g),
    );
}

#[test]
fn row_gathering_slopes() {
    let (x, g) = (tensor(&[5, 3], 1), tensor(&[4, 3], 2));
    let rows = [4, 0, 4, 2];
    let gradient = x.zeros_like().unwrap();
    add_rows(&gradient, &g, &rows).unwrap();
    check("gather", &x, &gradient, |x| {
        dot(&gather_rows(x, &rows).unwrap(), &g)
    });
}

#[test]
fn attention_slopes() {
    let first_visible = [0, 0, 0, 3, 3, 3, 3, 0, 1, 1, 1, 1, 5, 5];
    for (window, soft_cap) in [(None, None), (Some(2), None), (Some(3), Some(0.7))] {
        let attention = Attention {
            batch: 2,
            queries: 7,
            keys: 7,
            key_capacity: 7,
            heads: 4,
            kv_heads: 2,
            head_dim: 4,
            scale: 0.9,
            soft_cap,
            window,
            first_visible: &first_visible,
        };
        let (q, k, v, g) = (
            tensor(&[14, 16], 1),
            tensor(&[14, 8], 2),
            tensor(&[14, 8], 3),
            tensor(&[14, 16], 4),
        );
        let attended = attention.forward(&q, &k, &v).unwrap();
        let ours = attention.backward((&q, &k, &v), &attended, &g).unwrap();
        let loss = |q: &Tensor, k: &Tensor, v: &Tensor| {
            dot(&attention.forward(q, k, v).unwrap().output, &g)
        };
        check("attention q", &q, &ours.queries, |q| loss(q, &k, &v));
        check("attention k", &k, &ours.keys, |k| loss(&q, k, &v));
        check("attention v", &v, &ours.values, |v| loss(&q, &k, v));
    }
}

#[test]
fn linear_cross_entropy_slopes() {
    let (x, w, b) = (tensor(&[6, 5], 1), tensor(&[11, 5], 2), tensor(&[11], 3));
    let head = FrozenLinear::new(FrozenMatrix::dense(&w).unwrap(), Some(b)).unwrap();
    let targets = [3, 0, 10, 7, 7, 1];
    for soft_cap in [None, Some(0.8)] {
        let run = |x: &Tensor, gradient| {
            linear_cross_entropy(x, &head, soft_cap, &targets, gradient).unwrap()
        };
        let ours = run(&x, Gradient::Scaled(0.5)).hidden_gradient.unwrap();
        check("cross entropy", &x, &ours, |x| {
            0.5 * run(x, Gradient::Skip).loss_sum
        });
    }
}
