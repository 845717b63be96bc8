//! Where the interpreter differs from Jinja and Python in ways that templates notice.

use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// Teaches an environment Python's methods and Jinja's tests.
pub(super) fn install(environment: &mut Environment<'_>) {
    environment.set_unknown_method_callback(method);
    environment.add_test("iterable", is_iterable);
    environment.add_test("sequence", is_sequence);
}

/// Jinja's test: unlike the interpreter's own, none is not iterable.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// Jinja's test: everything with a length and items, dictionaries and texts included.
fn is_sequence(value: &Value) -> bool {
    value.is_undefined() || (!value.is_none() && value.len().is_some())
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
        ];
        for (expression, expected) in cases {
            assert_eq!(evaluate(expression).unwrap(), expected, "{expression}");
        }
        assert!(evaluate("'abc'.partition('')").is_err());
        assert!(evaluate("'abc'.nonsense()").is_err());
    }
}
