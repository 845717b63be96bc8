//! Which cells are measured: methods, models, contexts, batches and everything that changes what a run
//! keeps, the smallest models first.

use stepladder_protocol::{Method, Optimizer, Quantize, RunConfig, Switch, TapDtype};

use super::{Cell, RandomModel};
use crate::training::estimate::BatchShape;

const METHODS: [Method; 4] = [Method::Ladder, Method::Xladder, Method::Qlora, Method::Lora];

/// Rows and tokens of a micro-batch.
type Shape = (usize, usize);
const LONG: [Shape; 4] = [(1, 512), (4, 256), (2, 1024), (1, 2048)];
/// So that the larger models take minutes and not an hour.
const SHORT: [Shape; 4] = [(1, 512), (2, 256), (3, 256), (1, 1024)];
const SHORTEST: [Shape; 4] = [(1, 256), (3, 128), (2, 192), (1, 512)];

/// 6 to 290 million parameters; heads of their own and heads that are the embedding, attention with and
/// without shared keys.
const MODELS: [(RandomModel, [Shape; 4]); 4] = [
    (
        RandomModel {
            layers: 6,
            d_model: 256,
            heads: 4,
            kv_heads: 4,
            d_ff: 704,
            vocabulary: 4096,
            tied_head: true,
        },
        LONG,
    ),
    (
        RandomModel {
            layers: 12,
            d_model: 512,
            heads: 8,
            kv_heads: 2,
            d_ff: 1408,
            vocabulary: 16384,
            tied_head: true,
        },
        LONG,
    ),
    (
        RandomModel {
            layers: 20,
            d_model: 768,
            heads: 12,
            kv_heads: 12,
            d_ff: 2048,
            vocabulary: 16000,
            tied_head: false,
        },
        SHORT,
    ),
    (
        RandomModel {
            layers: 20,
            d_model: 1024,
            heads: 16,
            kv_heads: 4,
            d_ff: 2816,
            vocabulary: 32000,
            tied_head: false,
        },
        SHORTEST,
    ),
];

type Change = fn(&mut RunConfig);

/// What else can be switched: the method, and what differs from its plain run.
const SWITCHED: [(Method, Change); 8] = [
    (Method::Ladder, |run| run.recompute_taps = Switch::On),
    (Method::Xladder, |run| run.quantize_head = Switch::On),
    (Method::Qlora, |run| run.optimizer = Optimizer::AdamW8bit),
    (Method::Lora, |run| {
        run.recompute = Some(Switch::On);
        run.tap_dtype = TapDtype::Bf16;
    }),
    (Method::Ladder, |run| run.tap_dtype = TapDtype::Bf16),
    (Method::Xladder, |run| {
        run.recompute = Some(Switch::On);
        run.recompute_taps = Switch::On;
    }),
    (Method::Qlora, |run| run.quantize_head = Switch::On),
    (Method::Ladder, |run| run.optimizer = Optimizer::AdamW8bit),
];

fn cell(
    model: RandomModel,
    method: Method,
    recompute: Switch,
    in_nf4: bool,
    (batch, seq): Shape,
) -> Cell {
    let quantize = match method {
        Method::Qlora => Quantize::Nf4,
        Method::Lora => Quantize::None,
        _ if in_nf4 => Quantize::Nf4,
        _ => Quantize::None,
    };
    Cell {
        model,
        config: RunConfig {
            method,
            quantize,
            recompute: Some(recompute),
            batch_size: batch,
            effective_batch_size: batch,
            context: Some(seq),
            ..RunConfig::default()
        },
        shape: BatchShape { batch, seq },
    }
}

/// All cells.
pub fn grid() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (number, (model, shapes)) in MODELS.into_iter().enumerate() {
        let shape = |number: usize| shapes[number % shapes.len()];
        // Every method and model meets every shape, half with each recomputation. The methods take turns
        // to be first, so that each is among the even cells as often as among the odd ones.
        for group in 0..4 {
            let (index, pick) = (group / 2, group % 2);
            let recompute = [Switch::Off, Switch::On][index];
            let mut methods = METHODS;
            methods.rotate_left(group);
            for method in methods {
                let in_nf4 = pick == index;
                let shape = shape(number + 2 * pick + index);
                cells.push(cell(model, method, recompute, in_nf4, shape));
            }
        }
        for (index, (method, switch)) in SWITCHED.into_iter().enumerate() {
            let in_nf4 = index % 2 == number % 2;
            let mut cell = cell(model, method, Switch::Off, in_nf4, shape(number + index));
            switch(&mut cell.config);
            cells.push(cell);
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Part;

    /// Every other cell, from the first or the second.
    fn half(first: usize) -> Vec<Cell> {
        grid().into_iter().skip(first).step_by(2).collect()
    }

    fn of<T: PartialEq>(cells: &[Cell], property: impl Fn(&Cell) -> T) -> Vec<T> {
        let mut all = Vec::new();
        for found in cells.iter().map(property) {
            if !all.contains(&found) {
                all.push(found);
            }
        }
        all
    }

    #[test]
    fn every_kind_of_run_is_in_both_halves() {
        let cells = grid();
        assert!(cells.len() >= 48, "{}", cells.len());
        assert_eq!(
            of(&cells, Cell::clone).len(),
            cells.len(),
            "one is there twice"
        );
        for half in [half(0), half(1)] {
            assert_eq!(of(&half, |cell| cell.model).len(), 4);
            for (model, shapes) in MODELS {
                let own = half.iter().filter(|cell| cell.model == model);
                let own: Vec<Cell> = own.cloned().collect();
                let found = of(&own, |cell| (cell.shape.batch, cell.shape.seq));
                assert_eq!(found.len(), shapes.len(), "{model:?}: {found:?}");
            }
            for method in METHODS {
                let own = half.iter().filter(|cell| cell.config.method == method);
                let own: Vec<Cell> = own.cloned().collect();
                assert_eq!(
                    of(&own, |cell| cell.config.recompute).len(),
                    2,
                    "{method:?}"
                );
                let forms = of(&own, |cell| cell.config.quantize).len();
                let side = matches!(method, Method::Ladder | Method::Xladder);
                assert_eq!(forms, if side { 2 } else { 1 }, "{method:?}");
            }
            assert_eq!(of(&half, |cell| cell.config.recompute_taps).len(), 2);
            assert_eq!(of(&half, |cell| cell.config.tap_dtype).len(), 2);
            assert_eq!(of(&half, |cell| cell.config.quantize_head).len(), 2);
            assert_eq!(of(&half, |cell| cell.config.optimizer).len(), 2);
        }
    }

    #[test]
    fn models_grow_and_the_first_cells_are_small() {
        let cells = grid();
        let sizes = of(&cells, |cell| cell.model.parameters());
        assert!(sizes.is_sorted(), "{sizes:?}");
        assert!(sizes[0] < 10_000_000, "{sizes:?}");
        let largest = sizes[sizes.len() - 1];
        assert!((250_000_000..350_000_000).contains(&largest), "{sizes:?}");
        let methods = of(&cells[..4], |cell| cell.config.method);
        assert_eq!(methods.len(), 4, "{methods:?}");
    }

    /// Where weights are nearly all, a plan that knows nothing else would be right too.
    #[test]
    fn in_most_cells_weights_are_not_most() {
        let plans: Vec<_> = grid().iter().map(|cell| cell.plan(2).unwrap()).collect();
        let light = plans
            .iter()
            .filter(|plan| 2 * plan.part(Part::Weights) <= plan.total_bytes);
        let light = light.count();
        assert!(2 * light >= plans.len(), "{light} of {}", plans.len());
    }
}
