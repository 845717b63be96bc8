use super::*;

fn found(text: &str) -> Option<FinalAnswer> {
    AnswerRules::Usual.find(text)
}

fn text(of: &str) -> String {
    found(of).map(|answer| answer.text).unwrap_or_default()
}

fn number(of: &str) -> Option<String> {
    found(of).and_then(|answer| answer.number)
}

#[test]
fn the_last_announcement_wins_over_every_number() {
    for (said, answer) in [
        ("\\boxed{1} then \\boxed{\\frac{3}{4}} of 9", "3/4"),
        ("$$\\boxed{42}$$", "42"),
        ("\\boxed{\\text{a}{b}} 3", "\\text{a}{b}"),
        ("\\boxed{unclosed 5\n#### 7 \nand 8", "7"),
        ("#### 1\n#### $1,234.50", "1,234.50"),
        ("see #### 5\nThe answer is 6.", "6"),
        ("The answer is 7. I used 8 steps.", "7"),
        ("**Final Answer:** 12\nIt took 3.", "12"),
        ("Answer: Paris", "Paris"),
        ("The answer is:\n\n**Paris**", "Paris"),
        ("The answer is 3.14.", "3.14"),
        ("the answer is 5, no: the answer is 9!", "9"),
        ("we have 3 and then 4", "4"),
        ("Paris.", "Paris"),
    ] {
        assert_eq!(text(said), answer, "{said:?}");
    }
    for nothing in ["", "   \n", "one\ntwo", "**"] {
        assert_eq!(found(nothing), None, "{nothing:?}");
    }
}

#[test]
fn an_answer_gives_a_number_where_it_has_one() {
    for (said, wanted) in [
        ("The answer is 5 + 7 = 12.", Some("12")),
        ("The answer is 12 of the 20.", Some("12")),
        ("The answer is 42 apples.", Some("42")),
        ("\\boxed{42 \\text{ apples}}", Some("42")),
        ("\\boxed{x^2 + 1}", None),
        ("#### -7", Some("-7")),
        ("Answer: B", None),
        ("9 - 3 = 6", Some("6")),
    ] {
        assert_eq!(number(said).as_deref(), wanted, "{said:?}");
    }
}

#[test]
fn the_span_begins_with_the_announcement() {
    for (said, span) in [
        ("so 9. The final answer is 7.", "The final answer is 7"),
        ("so 9 \\boxed{7} .", "\\boxed{7}"),
        ("x\n#### 7\ny", "#### 7"),
        ("it is $7.", "$7"),
        ("Paris", "Paris"),
    ] {
        assert_eq!(&said[found(said).unwrap().span], span, "{said:?}");
    }
    // Letters whose other case has another length move nothing.
    let said = "İİİ The answer is 7.";
    assert_eq!(&said[found(said).unwrap().span], "The answer is 7");
}

#[test]
fn a_pattern_replaces_the_rules() {
    let rules = AnswerRules::new(Some(r"(?i)result\s*=\s*(\S+)")).unwrap();
    let answer = rules
        .find("result = 1; Result = 1,000. \\boxed{3}")
        .unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.number.as_deref()),
        ("1,000", Some("1000"))
    );
    assert_eq!(rules.find("\\boxed{3}"), None);
    for wrong in ["(", "no group", "(two) (groups)", "(a{1000}){1000}{1000}"] {
        let error = AnswerRules::new(Some(wrong)).unwrap_err();
        assert_eq!(error.code(), "config_invalid", "{wrong}");
        assert!(error.to_string().starts_with("answer_pattern: "), "{error}");
    }
}

fn judged(reference: &str, said: &str) -> Option<bool> {
    let reference = Reference::of(reference, &AnswerRules::Usual);
    reference.judge(&found(said).unwrap())
}

#[test]
fn numbers_are_compared_as_numbers() {
    for reference in [
        "1000",
        "1,000",
        "1000.0",
        "$1000",
        "#### 1000",
        "The answer is 1,000.",
        "1000 apples",
    ] {
        assert_eq!(
            judged(reference, "The answer is 1,000 apples."),
            Some(true),
            "{reference}"
        );
        assert_eq!(
            judged(reference, "\\boxed{1000.0}"),
            Some(true),
            "{reference}"
        );
        assert_eq!(judged(reference, "it is 1001"), Some(false), "{reference}");
        assert_eq!(judged(reference, "no idea"), Some(false), "{reference}");
    }
    assert_eq!(judged("3/4", "\\boxed{\\dfrac{3}{4}}"), Some(true));
}

#[test]
fn words_are_compared_as_words() {
    assert_eq!(judged("Paris", "The answer is **paris**."), Some(true));
    assert_eq!(judged("Paris", "PARIS!"), Some(true));
    assert_eq!(judged("Paris", "Lyon"), Some(false));
    assert_eq!(judged("Paris", "It is not Paris, I think"), None);
    assert_eq!(judged("B", "The answer is B) 12"), Some(true));
    assert_eq!(judged("B", "The answer is (b)"), Some(true));
    assert_eq!(judged("B", "The answer is Berlin"), Some(false));
    assert_eq!(judged("Apollo 11", "The answer is Apollo 11."), Some(true));
    assert_eq!(judged("Apollo 11", "The answer is 11."), Some(false));
    let long = "words ".repeat(100);
    assert_eq!(
        Reference::of(&long, &AnswerRules::Usual),
        Reference::Unmatchable
    );
    assert_eq!(judged(&long, "42"), None);
    assert_eq!(judged("", "42"), None);
}
