//! What `stepladder-cuda check` is asked for.

use std::path::PathBuf;
use std::time::Duration;

use candle_core::DType;
use stepladder_protocol::Method;

/// Told where arguments are wrong.
pub const USAGE: &str = "\
usage: stepladder-cuda check [--part correctness|memory|speed|context|all]
                             [--device cuda[:N]|cpu] [--minutes M] [--json FILE] [--markdown FILE]
         correctness         [--type f32|bf16|f16] [--case TEXT] [--size small|large|all]
         memory              [--cells N]
         speed, context      [--model NAME] [--method NAME[+recompute]] [--batch N] [--context N]
                             [--limit 12GiB]
       stepladder-cuda check --join FILE ... [--json FILE] [--markdown FILE]

--type, --model, --method, --batch and --part may be given more than once. A model is `small` or a name
of the catalogue, such as qwen2.5-7b (the default, and llama-3.1-8b); a method is ladder, xladder, qlora
or lora. --minutes ends the check before its end; what was left out is told. --join makes one report of
several, and of what tests/gpu/rival.py wrote.
";

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Results against the CPU's.
    Correctness,
    /// Plans against measurements.
    Memory,
    /// Tokens a second.
    Speed,
    /// The longest context under a limit.
    Context,
}

impl Part {
    const ALL: [Self; 4] = [Self::Correctness, Self::Memory, Self::Speed, Self::Context];
}

/// Which cases of the correctness part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// Those that a card played by the CPU can do.
    Small,
    /// Those of several tiles.
    Large,
    /// Both.
    All,
}

/// A method and whether activations are recomputed.
pub type Variant = (Method, bool);

/// Everything that can be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    /// What is checked, in this order.
    pub parts: Vec<Part>,
    /// Where.
    pub device: String,
    /// How long it may take.
    pub most: Option<Duration>,
    /// Where the report goes.
    pub json: Option<PathBuf>,
    /// Where its tables go.
    pub markdown: Option<PathBuf>,
    /// Types of activations.
    pub dtypes: Vec<DType>,
    /// Only cases with this in their name.
    pub case: String,
    /// Only cases of these sizes.
    pub sizes: Sizes,
    /// Cells of the memory check.
    pub cells: Option<usize>,
    /// Models that are timed.
    pub models: Vec<String>,
    /// Methods that are timed.
    pub variants: Vec<Variant>,
    /// Rows of a micro-batch.
    pub batches: Vec<usize>,
    /// Tokens of each.
    pub context: usize,
    /// Memory of the simulated card.
    pub limit_bytes: u64,
    /// Reports that are joined, in place of a check.
    pub join: Vec<PathBuf>,
}

impl Arguments {
    /// Understands arguments.
    ///
    /// # Errors
    /// Says which one is wrong.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut found = Self {
            parts: Vec::new(),
            device: "cuda".to_owned(),
            most: None,
            json: None,
            markdown: None,
            dtypes: Vec::new(),
            case: String::new(),
            sizes: Sizes::Small,
            cells: None,
            models: Vec::new(),
            variants: Vec::new(),
            batches: Vec::new(),
            context: 2048,
            limit_bytes: 12 << 30,
            join: Vec::new(),
        };
        let mut arguments = arguments.iter().peekable();
        while let Some(name) = arguments.next() {
            let mut value = || {
                let value = arguments.next().filter(|value| !value.starts_with("--"));
                value.ok_or_else(|| format!("{name} wants a value"))
            };
            match name.as_str() {
                "--part" => found.parts.extend(parts(value()?)?),
                "--device" => found.device.clone_from(value()?),
                "--minutes" => found.most = Some(minutes(value()?)?),
                "--json" => found.json = Some(value()?.into()),
                "--markdown" => found.markdown = Some(value()?.into()),
                "--type" => found.dtypes.push(dtype(value()?)?),
                "--case" => found.case.clone_from(value()?),
                "--size" => found.sizes = sizes(value()?)?,
                "--cells" => found.cells = Some(number(value()?)?),
                "--model" => found.models.push(value()?.clone()),
                "--method" => found.variants.push(variant(value()?)?),
                "--batch" => found.batches.push(number(value()?)?),
                "--context" => found.context = number(value()?)?,
                "--limit" => found.limit_bytes = bytes(value()?)?,
                "--join" => {
                    found.join.push(value()?.into());
                    while let Some(path) = arguments.next_if(|next| !next.starts_with("--")) {
                        found.join.push(path.into());
                    }
                }
                _ => return Err(format!("{name} is no argument")),
            }
        }
        found.fill();
        Ok(found)
    }

    fn fill(&mut self) {
        if self.parts.is_empty() {
            self.parts = Part::ALL.to_vec();
        }
        if self.dtypes.is_empty() {
            self.dtypes = vec![DType::F32, DType::BF16, DType::F16];
        }
        if self.models.is_empty() {
            self.models = ["qwen2.5-7b", "llama-3.1-8b"].map(str::to_owned).to_vec();
        }
        if self.variants.is_empty() {
            self.variants = vec![
                (Method::Ladder, false),
                (Method::Xladder, false),
                (Method::Qlora, true),
                (Method::Qlora, false),
            ];
        }
        if self.batches.is_empty() {
            self.batches = vec![1, 4];
        }
    }
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    Ok(match text {
        "all" => Part::ALL.to_vec(),
        "correctness" => vec![Part::Correctness],
        "memory" => vec![Part::Memory],
        "speed" => vec![Part::Speed],
        "context" => vec![Part::Context],
        _ => return Err(format!("there is no part {text:?}")),
    })
}

fn dtype(text: &str) -> Result<DType, String> {
    match text {
        "f32" => Ok(DType::F32),
        "bf16" => Ok(DType::BF16),
        "f16" => Ok(DType::F16),
        _ => Err(format!("{text:?} is no type of activations")),
    }
}

fn sizes(text: &str) -> Result<Sizes, String> {
    match text {
        "small" => Ok(Sizes::Small),
        "large" => Ok(Sizes::Large),
        "all" => Ok(Sizes::All),
        _ => Err(format!("there is no size {text:?}")),
    }
}

fn variant(text: &str) -> Result<Variant, String> {
    let (name, recompute) = match text.strip_suffix("+recompute") {
        Some(name) => (name, true),
        None => (text, false),
    };
    let all = [Method::Ladder, Method::Xladder, Method::Qlora, Method::Lora];
    let method = all.into_iter().find(|method| method.name() == name);
    let method = method.ok_or_else(|| format!("there is no method {text:?}"))?;
    Ok((method, recompute))
}

fn number(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{text:?} is no number above 0"))
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes = text.parse().ok().filter(|minutes: &f64| *minutes > 0.0);
    let duration = minutes.and_then(|minutes| Duration::try_from_secs_f64(60.0 * minutes).ok());
    duration.ok_or_else(|| format!("{text:?} is no number of minutes"))
}

fn bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("GiB", 1u64 << 30),
        ("MiB", 1 << 20),
        ("GB", 1_000_000_000),
        ("", 1),
    ];
    let wrong = || format!("{text:?} is no amount of memory, such as 12GiB");
    let found = units
        .iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (amount, unit) = found.ok_or_else(wrong)?;
    let amount: f64 = amount.trim().parse().map_err(|_| wrong())?;
    match amount.is_finite() && amount > 0.0 {
        true => Ok((amount * unit as f64) as u64),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arguments, String> {
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&arguments)
    }

    #[test]
    fn without_arguments_everything_is_checked() {
        let all = parse("").unwrap();
        assert_eq!(all.parts, Part::ALL);
        assert_eq!((all.batches, all.context), (vec![1, 4], 2048));
        assert_eq!((all.limit_bytes, all.models.len()), (12 << 30, 2));
        assert!(all.most.is_none() && all.join.is_empty());
    }

    #[test]
    fn arguments_are_understood_or_refused() {
        let asked = parse(
            "--part speed --part context --device cuda:1 --minutes 9.5 --model small --method qlora+recompute \
             --method ladder --batch 2 --limit 11.5GiB --json x.json --type bf16 --case steps --size all --cells 3",
        )
        .unwrap();
        assert_eq!(asked.parts, [Part::Speed, Part::Context]);
        assert_eq!(
            asked.variants,
            [(Method::Qlora, true), (Method::Ladder, false)]
        );
        assert_eq!(
            (asked.limit_bytes, asked.batches),
            ((23 << 30) / 2, vec![2])
        );
        assert_eq!(asked.most, Some(Duration::from_secs(570)));
        assert_eq!((asked.sizes, asked.cells), (Sizes::All, Some(3)));
        assert_eq!(
            (asked.dtypes, asked.case.as_str()),
            (vec![DType::BF16], "steps")
        );

        let joined = parse("--join a.json b.json --markdown c.md").unwrap();
        assert_eq!(
            (joined.join.len(), joined.markdown),
            (2, Some("c.md".into()))
        );
        for wrong in [
            "--part x",
            "--part",
            "--json --device",
            "x",
            "--minutes 0",
            "--minutes nan",
            "--limit 5XB",
            "--limit -1GiB",
            "--batch 0",
            "--method sft",
            "--type f64",
            "--size x",
            "--cells",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
