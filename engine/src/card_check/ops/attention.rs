use candle_core::{DType, Result, Tensor};

use crate::card_check::{Case, Compared, Place, Random};
use crate::ops::attention::Attention;
use crate::ops::token_tiles::TokenTile;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "attention, each head its own keys",
        run: |place| compare(place, &whole(100, 2, 2, 64)),
    },
    Case {
        name: "attention, two rows after earlier keys, with room for later ones",
        run: |place| {
            let attention = Attention {
                batch: 2,
                queries: 37,
                keys: 70,
                key_capacity: 81,
                ..whole(70, 4, 1, 32)
            };
            compare(place, &attention)
        },
    },
    Case {
        name: "attention in groups of 7, head width 20, with a window",
        run: |place| {
            let attention = Attention {
                window: Some(37),
                ..whole(150, 7, 1, 20)
            };
            compare(place, &attention)
        },
    },
    Case {
        name: "attention among documents, head width 80",
        run: |place| {
            let attention = Attention {
                batch: 2,
                first_visible: &documents(2, 70),
                ..whole(70, 2, 1, 80)
            };
            compare(place, &attention)
        },
    },
    Case {
        name: "attention with capped scores, head width 128",
        run: |place| {
            let attention = Attention {
                soft_cap: Some(3.0),
                ..whole(70, 4, 1, 128)
            };
            compare(place, &attention)
        },
    },
    Case {
        name: "attention with documents, window and cap, head width 256",
        run: |place| {
            let attention = Attention {
                soft_cap: Some(5.0),
                window: Some(20),
                first_visible: &documents(1, 40),
                ..whole(40, 2, 1, 256)
            };
            compare(place, &attention)
        },
    },
    Case {
        name: "attention, head width 96",
        run: |place| compare(place, &whole(66, 1, 1, 96)),
    },
    Case {
        name: "attention of one query to many keys",
        run: |place| {
            let attention = Attention {
                batch: 2,
                queries: 1,
                key_capacity: 310,
                ..whole(300, 4, 2, 64)
            };
            compare(place, &attention)
        },
    },
    Case {
        name: "attention of few tokens, narrow heads",
        run: |place| compare(place, &whole(5, 2, 1, 8)),
    },
    Case {
        name: "attention of a tile of queries",
        run: compare_tile,
    },
    Case {
        name: "attention twice gives the same bits",
        run: compare_twice,
    },
];

/// One row whose queries stand at all its keys.
fn whole(tokens: usize, heads: usize, kv_heads: usize, head_dim: usize) -> Attention<'static> {
    Attention {
        batch: 1,
        queries: tokens,
        keys: tokens,
        key_capacity: tokens,
        heads,
        kv_heads,
        head_dim,
        scale: (head_dim as f64).sqrt().recip(),
        soft_cap: None,
        window: None,
        first_visible: &[],
    }
}

/// Documents of different lengths; the first tokens of a row see themselves alone, as padding does.
fn documents(rows: usize, tokens: usize) -> Vec<u32> {
    let starts = [3, 3 + tokens / 3, tokens / 2, tokens - tokens / 8];
    let first_of = |token: usize, row: usize| {
        let start = starts.iter().rev().find(|&&start| start + row <= token);
        start.map_or(starts[0] + row, |&start| start + row) as u32
    };
    (0..rows)
        .flat_map(|row| (0..tokens).map(move |token| (token, row)))
        .map(|(token, row)| first_of(token, row))
        .collect()
}

/// Queries, keys, values and the gradient of the output.
fn inputs(attention: &Attention<'_>) -> Result<[Tensor; 4]> {
    let mut random = Random::new(7);
    let queries = (
        attention.batch * attention.queries,
        attention.heads * attention.head_dim,
    );
    let keys = (
        attention.batch * attention.key_capacity,
        attention.kv_heads * attention.head_dim,
    );
    Ok([
        random.tensor(queries, 2.0)?,
        random.tensor(keys, 2.0)?,
        random.tensor(keys, 1.0)?,
        random.tensor(queries, 1.0)?,
    ])
}

fn compare(place: &Place, attention: &Attention<'_>) -> Result<Vec<Compared>> {
    let [q, k, v, grad] = inputs(attention)?;
    let on_card = [&q, &k, &v, &grad].map(|x| place.activations(x));
    let [card_q, card_k, card_v, card_grad] = on_card;
    let (card_q, card_k, card_v, card_grad) = (card_q?, card_k?, card_v?, card_grad?);
    let card = attention.forward(&card_q, &card_k, &card_v)?;
    let (q, k, v) = (place.rounded(&q)?, place.rounded(&k)?, place.rounded(&v)?);
    let cpu = attention.forward(&q, &k, &v)?;

    let on_card = attention.backward((&card_q, &card_k, &card_v), &card, &card_grad)?;
    let on_cpu = attention.backward((&q, &k, &v), &cpu, &place.rounded(&grad)?)?;
    // Weights are rounded before they are multiplied, and so are gradients of scores.
    Ok(vec![
        place.compare("output", &card.output, &cpu.output, 1.0)?,
        in_floats(place.compare("log-sum-exp", &card.log_sum_exp, &cpu.log_sum_exp, 1.0)?),
        place.compare("d queries", &on_card.queries, &on_cpu.queries, 2.0)?,
        place.compare("d keys", &on_card.keys, &on_cpu.keys, 2.0)?,
        place.compare("d values", &on_card.values, &on_cpu.values, 2.0)?,
    ])
}

/// The log-sum-exp is a float whatever the type of activations.
fn in_floats(compared: Compared) -> Compared {
    Compared {
        tolerance: 5e-6,
        ..compared
    }
}

fn compare_tile(place: &Place) -> Result<Vec<Compared>> {
    let first_visible = documents(2, 90);
    let attention = Attention {
        batch: 2,
        queries: 90,
        first_visible: &first_visible,
        ..whole(100, 2, 1, 64)
    };
    let [q, k, v, _] = inputs(&attention)?;
    let tile = TokenTile {
        row: 1,
        rows: 1,
        first: 20,
        tokens_per_row: 50,
        start: 110,
    };
    let (card_q, card_k, card_v) = (
        place.activations(&q)?,
        place.activations(&k)?,
        place.activations(&v)?,
    );
    let card = attention.forward_tile(&tile, &card_q, &card_k, &card_v)?;
    let whole = attention.forward(
        &place.rounded(&q)?,
        &place.rounded(&k)?,
        &place.rounded(&v)?,
    )?;
    Ok(vec![
        place.compare("output", &card.output, &tile.of(&whole.output)?, 1.0)?,
        in_floats(place.compare(
            "log-sum-exp",
            &card.log_sum_exp,
            &tile.of(&whole.log_sum_exp)?,
            1.0,
        )?),
    ])
}

fn compare_twice(place: &Place) -> Result<Vec<Compared>> {
    let attention = whole(70, 4, 2, 64);
    let [q, k, v, grad] = inputs(&attention)?;
    let once = || {
        let (q, k, v) = (
            place.activations(&q)?,
            place.activations(&k)?,
            place.activations(&v)?,
        );
        let attended = attention.forward(&q, &k, &v)?;
        let gradients = attention.backward((&q, &k, &v), &attended, &place.activations(&grad)?)?;
        let made = [
            attended.output,
            gradients.queries,
            gradients.keys,
            gradients.values,
        ];
        let in_ram = made.map(|tensor| tensor.flatten_all()?.to_device(&candle_core::Device::Cpu));
        let in_ram = in_ram.into_iter().collect::<Result<Vec<_>>>()?;
        Tensor::cat(&in_ram, 0)?.to_dtype(DType::F32)
    };
    Ok(vec![place.compare("all", &once()?, &once()?, 0.0)?])
}
