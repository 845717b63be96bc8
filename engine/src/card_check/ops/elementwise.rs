use candle_core::{DType, Result, Tensor};

use crate::card_check::{Case, Compared, Place, Random};
use crate::ops::elementwise::{
    add, add_rows, add_scaled, cat_rows, copy, copy_blocks, copy_into, gather_rows, inner_product,
    masked, scale, to_type,
};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "elementwise: sums, products and types",
        run: arithmetic,
    },
    Case {
        name: "elementwise: sums of two types",
        run: two_types,
    },
    Case {
        name: "elementwise: copies",
        run: copies,
    },
    Case {
        name: "elementwise: rows",
        run: rows,
    },
    Case {
        name: "elementwise: inner products",
        run: inner_products,
    },
];

/// The place with parameters in f32.
fn exact(place: &Place) -> Place {
    Place {
        dtype: DType::F32,
        ..place.clone()
    }
}

fn arithmetic(place: &Place) -> Result<Vec<Compared>> {
    let mut random = Random::new(2);
    let (x, y) = (random.tensor((37, 65), 3.0)?, random.tensor((37, 65), 3.0)?);
    let (card_x, card_y) = (place.activations(&x)?, place.activations(&y)?);
    let (x, y) = (place.rounded(&x)?, place.rounded(&y)?);
    let mut results = Vec::new();
    let widened = to_type(&card_x, DType::F32)?;
    results.push(exact(place).compare("widened", &widened, &x, 0.0)?);
    let narrowed = to_type(&place.exact(&x)?, place.dtype)?;
    results.push(place.compare("narrowed", &narrowed, &x, 0.0)?);
    add(&card_x, &card_y)?;
    add(&x, &y)?;
    results.push(place.compare("sum", &card_x, &x, 1.0)?);
    let (x, card_y) = (place.rounded(&x)?, copy(&card_y)?);
    scale(&card_y, -0.3)?;
    scale(&y, -0.3)?;
    results.push(place.compare("scaled", &card_y, &y, 1.0)?);
    let all_but_a_third = || {
        let mut turn = 0;
        move || {
            turn += 1;
            turn % 3 != 0
        }
    };
    let expected = masked(&x, 1.5, all_but_a_third())?;
    let found = masked(&place.activations(&x)?, 1.5, all_but_a_third())?;
    results.push(place.compare("masked", &found, &expected, 1.0)?);
    Ok(results)
}

fn two_types(place: &Place) -> Result<Vec<Compared>> {
    let mut random = Random::new(3);
    let (x, y) = (random.tensor((9, 300), 3.0)?, random.tensor((9, 300), 3.0)?);
    let mut results = Vec::new();
    // Exact target, rounded addend.
    let target = place.exact(&copy(&x)?)?;
    add_scaled(&target, &place.activations(&y)?, 0.7)?;
    let expected = copy(&x)?;
    add_scaled(&expected, &place.rounded(&y)?, 0.7)?;
    results.push(exact(place).compare("f32 target", &target, &expected, 1.0)?);
    // The reverse.
    let target = place.activations(&x)?;
    add_scaled(&target, &place.exact(&y)?, 0.7)?;
    let expected = place.rounded(&x)?;
    add_scaled(&expected, &y, 0.7)?;
    results.push(place.compare("f32 addend", &target, &expected, 1.0)?);
    Ok(results)
}

fn copies(place: &Place) -> Result<Vec<Compared>> {
    let mut random = Random::new(4);
    let mut results = Vec::new();
    // Widths and offsets that are multiples of different units.
    for (width, first) in [(64, 4), (20, 3), (7, 1)] {
        let x = place.rounded(&random.tensor((12, width), 3.0)?)?;
        let card = place.activations(&x)?;
        let view = |x: &Tensor| x.narrow(0, first, 5);
        let what = |what: &str| format!("{what}, {width} wide");
        let copied = copy(&view(&card)?)?;
        results.push(place.compare(&what("view"), &copied, &view(&x)?, 0.0)?);

        let (target, card_target) = (x.zeros_like()?, card.zeros_like()?);
        copy_into(&target.narrow(0, 1, 5)?, &view(&x)?)?;
        copy_into(&card_target.narrow(0, 1, 5)?, &view(&card)?)?;
        results.push(place.compare(&what("into"), &card_target, &target, 0.0)?);

        let (strides, blocks) = ((3 * width, 2 * width), 3);
        let between = |target: &Tensor, source: &Tensor| {
            let (target, source) = ((target, width, strides.0), (source, 2 * width, strides.1));
            copy_blocks(target, source, blocks, 2 * width)
        };
        between(&target, &x)?;
        between(&card_target, &card)?;
        results.push(place.compare(&what("blocks"), &card_target, &target, 0.0)?);

        let parts = |x: &Tensor| Ok::<_, candle_core::Error>([view(x)?, x.narrow(0, 0, 1)?]);
        let (joined, expected) = (cat_rows(&parts(&card)?)?, cat_rows(&parts(&x)?)?);
        results.push(place.compare(&what("joined"), &joined, &expected, 0.0)?);
    }
    Ok(results)
}

fn rows(place: &Place) -> Result<Vec<Compared>> {
    let mut random = Random::new(5);
    let mut results = Vec::new();
    for width in [300, 7] {
        let x = random.tensor((40, width), 3.0)?;
        let indices: Vec<u32> = (0..70).map(|_| random.below(40)).collect();
        let addend = random.tensor((70, width), 1.0)?;
        let (card, card_addend) = (place.activations(&x)?, place.activations(&addend)?);
        let (x, addend) = (place.rounded(&x)?, place.rounded(&addend)?);
        let what = |what: &str| format!("{what}, {width} wide");
        let (found, expected) = (gather_rows(&card, &indices)?, gather_rows(&x, &indices)?);
        results.push(place.compare(&what("gathered"), &found, &expected, 0.0)?);
        add_rows(&card, &card_addend, &indices)?;
        add_rows(&x, &addend, &indices)?;
        results.push(place.compare(&what("added"), &card, &x, 1.0)?);
    }
    Ok(results)
}

fn inner_products(place: &Place) -> Result<Vec<Compared>> {
    let mut random = Random::new(6);
    let mut results = Vec::new();
    for count in [1, 700, 70_000] {
        let (a, b) = (random.tensor(count, 1.0)?, random.tensor(count, 1.0)?);
        let (card_a, card_b) = (place.activations(&a)?, place.exact(&b)?);
        let a = place.rounded(&a)?;
        let mut compare = |what: &str, card: f64, cpu: f64| {
            let of = |value: f64| Tensor::new(value as f32, &candle_core::Device::Cpu);
            let what = format!("{what} of {count}");
            results.push(exact(place).compare(&what, &of(card)?, &of(cpu)?, 10.0)?);
            Ok::<_, candle_core::Error>(())
        };
        let (card, cpu) = (inner_product(&card_a, &card_b)?, inner_product(&a, &b)?);
        compare("a * b", card, cpu)?;
        let (card, cpu) = (inner_product(&card_a, &card_a)?, inner_product(&a, &a)?);
        compare("a * a", card, cpu)?;
    }
    Ok(results)
}
