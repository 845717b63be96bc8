//! Owns the checks that training rests on, made before it starts: the fused functions' gradients
//! against finite differences, and a gradient for every parameter. (Some of candle's fused
//! functions have none and say nothing.)

use crate::Outcome;
use crate::batches::Batch;
use crate::fused::{Visibility, causal_softmax, cross_entropy, rms_norm, rotary, swiglu};
use crate::model::Model;
use crate::optimizer::collect_gradients;
use candle_core::{Device, Result, Tensor, Var};
use std::sync::Arc;

type Function<'a> = &'a dyn Fn(&Tensor) -> Result<Tensor>;

/// Fails with the name of what has no gradient, or a wrong one.
pub fn check(model: &Model, batch: &Batch) -> Outcome<()> {
    check_functions()?;
    let loss = model.loss(&batch.tokens, batch.rows.clone(), batch.targets.clone())?;
    let gradients = collect_gradients(&model.parameters, &loss.backward()?)?;
    for (parameter, gradient) in model.parameters.iter().zip(gradients) {
        let largest = gradient
            .iter()
            .fold(0_f32, |largest, g| largest.max(g.abs()));
        if largest == 0.0 || !largest.is_finite() {
            return Err(format!("{} has the gradient {largest}", parameter.name).into());
        }
    }
    println!(
        "every parameter has a gradient; first loss {:.3}",
        loss.to_scalar::<f32>()?
    );
    Ok(())
}

fn check_functions() -> Outcome<()> {
    let input = |shape: &[usize], phase: f32| -> Result<Tensor> {
        let count: usize = shape.iter().product();
        let numbers = (0..count)
            .map(|i| (i as f32 * 1.7 + phase).sin() * 1.5)
            .collect::<Vec<_>>();
        Tensor::from_vec(numbers, shape, &Device::Cpu)
    };
    let visibility = Visibility {
        rows_per_sequence: 6,
        queries: 3,
        offset: 1,
        left_padding: Arc::new(vec![1, 0]),
    };
    let rows = input(&[5, 8], 0.0)?;
    let weight = input(&[8], 1.0)?;
    let other = input(&[5, 8], 2.0)?;
    let checks: [(&str, Tensor, Function); 7] = [
        ("softmax", input(&[2, 6, 4], 0.0)?, &|x| {
            causal_softmax(x, 0.7, &visibility)
        }),
        ("norm", rows.clone(), &|x| rms_norm(x, &weight, 1e-6)),
        ("norm weight", weight.clone(), &|w| rms_norm(&rows, w, 1e-6)),
        ("rotary", input(&[2, 3, 2, 4], 0.0)?, &|x| {
            rotary(x, 100.0, 2)
        }),
        ("gate", rows.clone(), &|x| swiglu(x, &other)),
        ("up", rows.clone(), &|x| swiglu(&other, x)),
        ("cross-entropy", rows.clone(), &|x| {
            cross_entropy(x, vec![0, 3, 7, 1, 1])
        }),
    ];
    for (name, input, function) in checks {
        check_function(name, &input, function)?;
    }
    Ok(())
}

/// Compares the gradient of a fixed weighted sum of the function's outputs.
fn check_function(name: &str, input: &Tensor, function: Function) -> Outcome<()> {
    let scalar = |x: &Tensor| -> Result<Tensor> {
        let output = function(x)?.flatten_all()?;
        let weights = (0..output.elem_count())
            .map(|i| (i as f32 * 0.9 + 0.3).cos())
            .collect::<Vec<_>>();
        let count = weights.len();
        (output * Tensor::from_vec(weights, count, &Device::Cpu)?)?.sum_all()
    };
    let var = Var::from_tensor(input)?;
    let gradients = scalar(var.as_tensor())?.backward()?;
    let gradient = gradients
        .get(var.as_tensor())
        .ok_or_else(|| format!("{name}: no gradient"))?;
    let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
    let numbers = input.flatten_all()?.to_vec1::<f32>()?;
    let step = 1e-2;
    for (index, expected) in gradient.iter().enumerate() {
        let at = |delta: f32| -> Result<f32> {
            let mut moved = numbers.clone();
            moved[index] += delta;
            scalar(&Tensor::from_vec(moved, input.shape(), &Device::Cpu)?)?.to_scalar()
        };
        let measured = (at(step)? - at(-step)?) / (2.0 * step);
        if (measured - expected).abs() > 5e-3 * expected.abs().max(1.0) {
            return Err(
                format!("{name}[{index}]: gradient {expected}, measured {measured}").into(),
            );
        }
    }
    Ok(())
}
