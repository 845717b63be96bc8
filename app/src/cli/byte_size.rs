//! Sizes of memory as people write them: `12GiB`, `11.6 GB`, `400MiB`.

const UNITS: [(&str, f64); 4] = [
    ("gib", (1u64 << 30) as f64),
    ("mib", (1u64 << 20) as f64),
    ("gb", 1e9),
    ("mb", 1e6),
];
/// No machine has more.
const MOST: f64 = (1u64 << 50) as f64;

/// Bytes of a size. GB is 10^9 bytes, GiB 2^30; anything shorter could be either and is refused.
pub fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(0);
    }
    let lower = text.to_ascii_lowercase();
    let unit = UNITS.iter().find(|(unit, _)| lower.ends_with(unit));
    let Some((unit, bytes)) = unit else {
        return Err("say GiB (2^30 bytes, as drivers do), GB (10^9), MiB or MB: 12GiB".to_owned());
    };
    let number = lower[..lower.len() - unit.len()].trim_end();
    let is_plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    match number.parse::<f64>() {
        Ok(number) if is_plain && number * bytes <= MOST => Ok((number * bytes).round() as u64),
        Ok(_) if is_plain => Err("is more memory than there is".to_owned()),
        _ => Err("must be a number and a unit: 12GiB, 11.6GB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gb_and_gib_are_different_sizes() {
        for (text, bytes) in [
            ("12GiB", 12 << 30),
            ("12 GiB", 12 << 30),
            ("12gib", 12 << 30),
            ("0.5GiB", 1 << 29),
            ("12GB", 12_000_000_000),
            ("11.6 gb", 11_600_000_000),
            ("400MiB", 400 << 20),
            ("400MB", 400_000_000),
            (".5GB", 500_000_000),
            ("0", 0),
            ("0GiB", 0),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        for text in [
            "",
            "12",
            "12g",
            "12G",
            "GiB",
            "-1GiB",
            "+1GiB",
            "1e3GB",
            "infGB",
            "nanGB",
            "1.2.3GB",
            "12TiB",
            "12 GiBs",
            "1,5GB",
            "2000000000GiB",
            "½GB",
            "12 Gib it",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("12g").unwrap_err().contains("GiB"));
    }
}
