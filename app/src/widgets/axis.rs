//! Marks of an axis at round numbers.

/// Round numbers from nothing up to at least `most`, about `number` of them.
pub fn round_marks(most: f64, number: usize) -> Vec<f64> {
    let raw = most.max(1.0) / number.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = { [1.0, 2.0, 5.0, 10.0].iter() }
        .map(|digit| digit * power)
        .find(|step| *step >= raw)
        .unwrap_or(10.0 * power)
        .max(1.0);
    let marks = (most.max(1.0) / step).ceil() as usize;
    (0..=marks).map(|mark| mark as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_reach_to_the_end() {
        assert_eq!(round_marks(97.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(round_marks(2048.0, 4), [0.0, 1000.0, 2000.0, 3000.0]);
        assert_eq!(round_marks(0.0, 5), [0.0, 1.0]);
    }
}
