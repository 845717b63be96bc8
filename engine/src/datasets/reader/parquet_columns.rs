//! Which columns of a Parquet file can be read, and their values as JSON.

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::record::{Field, Row};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr};
use serde_json::{Map, Number, Value};

use crate::datasets::row::Fields;
use crate::foreign_text::visible_excerpt;

/// A column that is not read.
pub(super) struct LeftOut {
    path: String,
    holds: String,
}

impl LeftOut {
    pub(super) fn notice(&self) -> String {
        let path = visible_excerpt(&self.path, 80);
        format!("column `{path}` holds {} and is left out", self.holds)
    }
}

/// The schema without what cannot be read, `None` if that is everything; and what that is.
pub(super) fn readable_columns(schema: &Type) -> (Option<SchemaDescPtr>, Vec<LeftOut>) {
    let mut left_out = Vec::new();
    let fields = schema.get_fields().iter();
    let fields: Vec<TypePtr> = fields
        .filter_map(|field| readable(field, "", &mut left_out))
        .collect();
    let root = (!fields.is_empty())
        .then(|| {
            Type::group_type_builder(schema.name())
                .with_fields(fields)
                .build()
                .ok()
        })
        .flatten();
    let columns = root.map(|root| Arc::new(SchemaDescriptor::new(Arc::new(root))));
    (columns, left_out)
}

/// A column, or what can be read of it.
fn readable(field: &TypePtr, above: &str, left_out: &mut Vec<LeftOut>) -> Option<TypePtr> {
    let path = match above {
        "" => field.name().to_owned(),
        above => format!("{above}.{}", field.name()),
    };
    let mut leave_out = |holds: String| {
        let path = path.clone();
        left_out.push(LeftOut { path, holds });
        None
    };
    if field.is_primitive() {
        return match unreadable_values(field) {
            None => Some(field.clone()),
            Some(holds) => leave_out(holds),
        };
    }
    let basic = field.get_basic_info();
    let children = field.get_fields();
    match basic.converted_type() {
        ConvertedType::LIST if !is_stored_as_list(children) => {
            return leave_out("lists that are not stored as such".to_owned());
        }
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE if !is_stored_as_map(children) => {
            return leave_out("maps that are not stored as such".to_owned());
        }
        _ => {}
    }
    let kept: Vec<TypePtr> = children
        .iter()
        .filter_map(|child| readable(child, &path, left_out))
        .collect();
    let is_map = matches!(
        basic.converted_type(),
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE
    );
    // Half an entry of a map is no entry.
    let halved =
        |(kept, whole): (&TypePtr, &TypePtr)| kept.get_fields().len() < whole.get_fields().len();
    if kept.is_empty() || (is_map && kept.iter().zip(children).any(halved)) {
        return None;
    }
    let mut group = Type::group_type_builder(field.name())
        .with_fields(kept)
        .with_converted_type(basic.converted_type())
        .with_logical_type(basic.logical_type_ref().cloned());
    if basic.has_repetition() {
        group = group.with_repetition(basic.repetition());
    }
    group.build().ok().map(Arc::new)
}

fn is_repeated(field: &TypePtr) -> bool {
    field.get_basic_info().repetition() == Repetition::REPEATED
}

fn is_stored_as_list(children: &[TypePtr]) -> bool {
    match children {
        [items] => is_repeated(items) && (items.is_primitive() || !items.get_fields().is_empty()),
        _ => false,
    }
}

fn is_stored_as_map(children: &[TypePtr]) -> bool {
    match children {
        [entries] => {
            is_repeated(entries)
                && !entries.is_primitive()
                && matches!(entries.get_fields().len(), 1 | 2)
        }
        _ => false,
    }
}

/// What a column holds, if it is nothing that can be read.
fn unreadable_values(field: &Type) -> Option<String> {
    let converted = field.get_basic_info().converted_type();
    let logical = field.get_basic_info().logical_type_ref();
    let physical = field.get_physical_type();
    let readable = match physical {
        PhysicalType::BOOLEAN
        | PhysicalType::INT96
        | PhysicalType::FLOAT
        | PhysicalType::DOUBLE => true,
        PhysicalType::INT32 => matches!(
            converted,
            ConvertedType::NONE
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::DATE
                | ConvertedType::TIME_MILLIS
                | ConvertedType::DECIMAL
        ),
        PhysicalType::INT64 => matches!(
            converted,
            ConvertedType::NONE
                | ConvertedType::INT_64
                | ConvertedType::UINT_64
                | ConvertedType::TIME_MICROS
                | ConvertedType::TIMESTAMP_MILLIS
                | ConvertedType::TIMESTAMP_MICROS
                | ConvertedType::DECIMAL
        ),
        PhysicalType::BYTE_ARRAY => matches!(
            converted,
            ConvertedType::UTF8
                | ConvertedType::ENUM
                | ConvertedType::JSON
                | ConvertedType::DECIMAL
        ),
        PhysicalType::FIXED_LEN_BYTE_ARRAY => {
            converted == ConvertedType::DECIMAL || logical == Some(&LogicalType::Float16)
        }
    };
    let bytes = matches!(
        physical,
        PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY
    );
    match (readable, converted) {
        (true, _) => None,
        (false, ConvertedType::NONE) if bytes => Some("bytes, which are no text,".to_owned()),
        (false, _) => Some(format!("values of type {converted} ({physical})")),
    }
}

/// A row's values by name.
pub(super) fn fields_of(row: &Row) -> Fields {
    let columns = row.get_column_iter();
    columns
        .map(|(name, field)| (name.clone(), value_of(field)))
        .collect()
}

fn value_of(field: &Field) -> Value {
    match field {
        Field::Null | Field::Bytes(_) => Value::Null,
        Field::Bool(value) => Value::Bool(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::UByte(value) => Value::from(*value),
        Field::UShort(value) => Value::from(*value),
        Field::UInt(value) => Value::from(*value),
        Field::ULong(value) => Value::from(*value),
        Field::Float16(value) => number(value.to_f64()),
        Field::Float(value) => number(f64::from(*value)),
        Field::Double(value) => number(*value),
        Field::Str(text) => Value::String(text.clone()),
        Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => Value::String(field.to_string()),
        Field::Group(row) => Value::Object(fields_of(row)),
        Field::ListInternal(list) => list.elements().iter().map(value_of).collect(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter();
            let entries = entries.map(|(key, value)| (name_of(key), value_of(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// JSON knows no infinity.
fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// A map's key as a name.
fn name_of(key: &Field) -> String {
    match value_of(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
