//! Where the interpreter differs from Jinja and Python in ways that templates notice.

use minijinja::value::{Kwargs, Tuple, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// Teaches an environment Python's methods and Jinja's tests.
pub(super) fn install(environment: &mut Environment<'_>) {
    environment.set_unknown_method_callback(method);
    environment.add_test("iterable", is_iterable);
    environment.add_test("sequence", is_sequence);
    environment.add_test("callable", is_callable);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
}

/// Jinja's test: unlike the interpreter's own, none is not iterable.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// Jinja's test: everything with a length and items, dictionaries and texts included.
fn is_sequence(value: &Value) -> bool {
    value.is_undefined() || (!value.is_none() && value.len().is_some())
}

/// Python's test: functions and macros are values of no other kind.
fn is_callable(value: &Value) -> bool {
    value.kind() == ValueKind::Plain
}

/// Jinja's filter, whose arguments may be named.
fn default(
    value: &Value,
    other: Option<&Value>,
    falsy_too: Option<&Value>,
    named: Kwargs,
) -> Result<Value, Error> {
    let other = match other {
        Some(other) => other.clone(),
        None => named
            .get::<Option<Value>>("default_value")?
            .unwrap_or_else(|| Value::from("")),
    };
    let falsy_too = match falsy_too {
        Some(flag) => flag.is_true(),
        None => named
            .get::<Option<Value>>("boolean")?
            .is_some_and(|flag| flag.is_true()),
    };
    named.assert_all_used()?;
    let is_missing = value.is_undefined() || (falsy_too && !value.is_true());
    Ok(if is_missing { other } else { value.clone() })
}

fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let text = match value.kind() {
        ValueKind::String => value.as_str(),
        _ => None,
    };
    match (text, name) {
        (Some(text), "partition" | "rpartition") => {
            let (separator,): (&str,) = from_args(args)?;
            partition(text, separator, name == "rpartition")
        }
        (Some(text), "removeprefix") => {
            let (prefix,): (&str,) = from_args(args)?;
            Ok(Value::from(text.strip_prefix(prefix).unwrap_or(text)))
        }
        (Some(text), "removesuffix") => {
            let (suffix,): (&str,) = from_args(args)?;
            Ok(Value::from(text.strip_suffix(suffix).unwrap_or(text)))
        }
        (Some(text), "rsplit") => {
            let (separator, splits): (&str, Option<i64>) = from_args(args)?;
            rsplit(text, separator, splits)
        }
        (Some(text), "index") => {
            let (wanted,): (&str,) = from_args(args)?;
            let at = text.find(wanted).ok_or_else(not_found)?;
            Ok(Value::from(text[..at].chars().count()))
        }
        (Some(text), "ljust" | "rjust") => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            let filling = filling(state, text, width, fill.unwrap_or(' '))?;
            Ok(Value::from(match name {
                "ljust" => format!("{text}{filling}"),
                _ => format!("{filling}{text}"),
            }))
        }
        (Some(text), "zfill") => {
            let (width,): (usize,) = from_args(args)?;
            let filling = filling(state, text, width, '0')?;
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let (sign, digits) = text.split_at(text.len() - digits.len());
            Ok(Value::from(format!("{sign}{filling}{digits}")))
        }
        (None, "index") if value.kind() == ValueKind::Seq => {
            let (wanted,): (&Value,) = from_args(args)?;
            let mut items = value.try_iter()?;
            let at = items.position(|item| item == *wanted);
            at.map(Value::from).ok_or_else(not_found)
        }
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args),
    }
}

fn partition(text: &str, separator: &str, from_end: bool) -> Result<Value, Error> {
    not_empty(separator)?;
    let (found, without) = if from_end {
        (text.rsplit_once(separator), ["", "", text])
    } else {
        (text.split_once(separator), [text, "", ""])
    };
    let parts = found.map_or(without, |(before, after)| [before, separator, after]);
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

fn rsplit(text: &str, separator: &str, splits: Option<i64>) -> Result<Value, Error> {
    not_empty(separator)?;
    let pieces = splits.and_then(|splits| usize::try_from(splits).ok());
    let mut parts: Vec<Value> = match pieces {
        Some(splits) => text
            .rsplitn(splits.saturating_add(1), separator)
            .map(Value::from)
            .collect(),
        None => text.rsplit(separator).map(Value::from).collect(),
    };
    parts.reverse();
    Ok(Value::from(parts))
}

/// What is missing from a text to a width, paid for before it is made.
fn filling(state: &State, text: &str, width: usize, fill: char) -> Result<String, Error> {
    let missing = width.saturating_sub(text.chars().count());
    state.consume_fuel(missing as u64 / 64)?;
    Ok(std::iter::repeat_n(fill, missing).collect())
}

fn not_found() -> Error {
    Error::new(ErrorKind::InvalidOperation, "it is not in there")
}

fn not_empty(separator: &str) -> Result<(), Error> {
    match separator {
        "" => Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(expression: &str) -> Result<String, Error> {
        let mut environment = Environment::new();
        install(&mut environment);
        environment.render_str(&format!("{{{{ {expression} }}}}"), ())
    }

    // Every expectation is what Jinja prints.
    #[test]
    fn answers_like_jinja() {
        let cases = [
            ("none is iterable", "False"),
            ("missing is iterable", "True"),
            ("'abc' is iterable", "True"),
            ("5 is iterable", "False"),
            ("{} is sequence", "True"),
            ("range(3) is sequence", "True"),
            ("'abc' is sequence", "True"),
            ("none is sequence", "False"),
            ("missing is sequence", "True"),
            ("5 is sequence", "False"),
            ("'aXbXc'.rsplit('X', 1)", "['aXb', 'c']"),
            ("'aXbXc'.rsplit('X')", "['a', 'b', 'c']"),
            ("'aXbXc'.partition('X')", "('a', 'X', 'bXc')"),
            ("'aXbXc'.rpartition('X')", "('aXb', 'X', 'c')"),
            ("'abc'.partition('X')", "('abc', '', '')"),
            ("'abc'.rpartition('X')", "('', '', 'abc')"),
            ("'abc'.removeprefix('a') + 'abc'.removesuffix('x')", "bcabc"),
            ("'abc'.strip('a')", "bc"),
            ("{'a': 1}.get('z', 5)", "5"),
            ("'abéc'.index('c')", "3"),
            ("[1, 2, 3].index(2)", "1"),
            (
                "'7'.zfill(3) + '-7'.zfill(4) + 'abc'.zfill(1)",
                "007-007abc",
            ),
            ("'a'.ljust(3) + '|' + 'é'.rjust(3, '*')", "a  |**é"),
            ("missing | default('x', boolean=true)", "x"),
            ("'' | default('x')", ""),
            ("'' | default(default_value='x', boolean=true)", "x"),
            ("none | d('x', true)", "x"),
            ("missing | default", ""),
            ("range is callable", "True"),
            ("'x' is callable", "False"),
        ];
        for (expression, expected) in cases {
            assert_eq!(evaluate(expression).unwrap(), expected, "{expression}");
        }
        assert!(evaluate("'abc'.partition('')").is_err());
        assert!(evaluate("'abc'.nonsense()").is_err());
        assert!(evaluate("'abc'.index('x')").is_err());
        assert!(evaluate("[1].index(2)").is_err());
        assert!(evaluate("none | default(nonsense=1)").is_err());
    }
}
