//! Figures of a comparison beside numpy's and scipy's on the same rows and the same resamples.

use serde_json::Value;
use stepladder_engine::comparison::statistics::{
    difference, mean, median, over_seeds_and_questions,
};
use stepladder_tests::golden_path;

/// Sums may be made in another order.
const TOLERANCE: f64 = 1e-12;

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|number| number.as_f64().unwrap()).collect()
}

fn assert_close(what: &str, ours: Option<f64>, golden: &Value) {
    let (ours, golden) = (ours.unwrap(), golden.as_f64().unwrap());
    let allowed = TOLERANCE * golden.abs().max(1.0);
    assert!(
        (ours - golden).abs() <= allowed,
        "{what}: {ours} instead of {golden}"
    );
}

#[test]
fn medians_means_and_intervals_are_those_of_scipy() {
    let text = std::fs::read_to_string(golden_path("comparison.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let sides = [numbers(&case["variant"]), numbers(&case["baseline"])];
        for (side, values) in sides.iter().enumerate() {
            assert_close(name, median(values), &case["median"][side]);
            assert_close(name, mean(values), &case["mean"][side]);
        }
        let pairs = sides[0].iter().zip(&sides[1]);
        let differences: Vec<f64> = pairs.map(|(one, other)| one - other).collect();
        let ours = difference(&differences, case["stream"].as_u64().unwrap()).unwrap();
        assert_eq!(ours.pairs, differences.len());
        let golden = &case["difference"];
        assert_close(name, Some(ours.mean), &golden["mean"]);
        assert_close(name, ours.low, &golden["low"]);
        assert_close(name, ours.high, &golden["high"]);
    }
}

#[test]
fn intervals_over_seeds_and_questions_are_those_of_numpy() {
    let text = std::fs::read_to_string(golden_path("comparison.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let tables = golden["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 4);
    for case in tables {
        let name = case["name"].as_str().unwrap();
        let rows = case["table"].as_array().unwrap().iter();
        let table: Vec<Vec<Option<f64>>> = rows
            .map(|row| row.as_array().unwrap().iter().map(Value::as_f64).collect())
            .collect();
        let ours = over_seeds_and_questions(&table, case["stream"].as_u64().unwrap()).unwrap();
        assert_eq!(ours.replies, table.iter().flatten().flatten().count());
        let golden = &case["interval"];
        assert_close(name, Some(ours.mean), &golden["mean"]);
        assert_close(name, ours.low, &golden["low"]);
        assert_close(name, ours.high, &golden["high"]);
    }
}
