//! Axes of a space: what a spec's `[axes]` says.

use toml::{Table, Value};

use crate::ExploreError;
use crate::error::Check;
use crate::setting::{Settings, shown};

/// Most values of an axis.
const MOST_VALUES: u64 = 4096;

/// One dimension of a space.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub(crate) name: String,
    /// What each of its values sets.
    pub(crate) values: Vec<Settings>,
}

/// The axes of a table, by name. An array lists values, of which those that are tables set several keys at once; `{ from, to }`
/// with `step` or `factor` is a range; other tables are parts of a path.
pub(crate) fn axes(check: Check, table: &Table) -> Result<Vec<Axis>, ExploreError> {
    let mut found = Vec::new();
    collect(check, "", table, &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn collect(check: Check, prefix: &str, table: &Table, found: &mut Vec<Axis>) -> Result<(), ExploreError> {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let field = format!("axes.{name}");
        let values = match value {
            Value::Array(values) => listed(check, &field, &name, values)?,
            Value::Table(inner) if inner.contains_key("from") || inner.contains_key("to") => {
                range(check, &field, inner)?.into_iter().map(|v| Settings::from([(name.clone(), v)])).collect()
            }
            Value::Table(inner) => {
                collect(check, &name, inner, found)?;
                continue;
            }
            other => {
                let expected = format!("must be a list of values, such as `[{}]`, or a range", shown(other));
                return Err(check.error(&field, shown(other), expected));
            }
        };
        let expected = "needs at least one value; leave the axis out, or set the key under `base`";
        check.that(&field, "empty", !values.is_empty(), expected)?;
        check.that(
            &field,
            format!("{} values", values.len()),
            values.len() as u64 <= MOST_VALUES,
            format!("at most {MOST_VALUES}"),
        )?;
        for (i, value) in values.iter().enumerate() {
            let twice = values[..i].contains(value);
            let shown: Vec<String> = value.values().map(shown).collect();
            check.that(&field, format!("`{}` twice", shown.join(" ")), !twice, "each value once")?;
        }
        found.push(Axis { name, values });
    }
    Ok(())
}

fn listed(check: Check, field: &str, name: &str, values: &[Value]) -> Result<Vec<Settings>, ExploreError> {
    let tables = values.iter().filter(|value| value.is_table()).count();
    let expected = "its values must all be tables of keys, or none of them";
    check.that(
        field,
        format!("{tables} tables of {} values", values.len()),
        [0, values.len()].contains(&tables),
        expected,
    )?;
    values
        .iter()
        .map(|value| match value {
            Value::Table(table) => {
                let settings = flatten(table);
                check.that(field, "an empty table", !settings.is_empty(), "a value sets at least one key")?;
                Ok(settings)
            }
            value => Ok(Settings::from([(name.to_string(), value.clone())])),
        })
        .collect()
}

/// Keys of a table, those of tables in it as dotted paths.
pub(crate) fn flatten(table: &Table) -> Settings {
    let mut settings = Settings::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                settings.extend(flatten(inner).into_iter().map(|(path, value)| (format!("{key}.{path}"), value)));
            }
            value => {
                settings.insert(key.clone(), value.clone());
            }
        }
    }
    settings
}

fn range(check: Check, field: &str, table: &Table) -> Result<Vec<Value>, ExploreError> {
    let known = ["from", "to", "step", "factor"];
    if let Some(other) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(check.error(
            &format!("{field}.{other}"),
            "unknown",
            "a range has `from`, `to`, and `step` or `factor`",
        ));
    }
    let number = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(value) => {
            let whole = value.as_integer().filter(|n| (0..=i64::from(u32::MAX)).contains(n));
            let expected = format!("must be a whole number from 0 to {}", u32::MAX);
            whole.map(Some).ok_or_else(|| check.error(&format!("{field}.{key}"), shown(value), expected))
        }
    };
    let needed =
        |key: &str| number(key)?.ok_or_else(|| check.error(&format!("{field}.{key}"), "missing", "a range needs it"));
    let (from, to) = (needed("from")?, needed("to")?);
    check.that(field, format!("{from} to {to}"), from <= to, "the range is empty: `from` must not be above `to`")?;
    let (step, factor) = (number("step")?, number("factor")?);
    let next = |value: i64| match (step, factor) {
        (Some(step), _) => value + step,
        // Both are at most 2^32: their product may be above an i64, and then above `to`.
        (None, Some(factor)) => value.saturating_mul(factor),
        (None, None) => value + 1,
    };
    let both = step.is_some() && factor.is_some();
    check.that(field, "both `step` and `factor`", !both, "a range has one of them")?;
    check.that(&format!("{field}.step"), step.unwrap_or(1), step != Some(0), "must be at least 1")?;
    check.that(&format!("{field}.factor"), factor.unwrap_or(2), factor.is_none_or(|f| f > 1), "must be at least 2")?;
    check.that(
        &format!("{field}.from"),
        from,
        factor.is_none() || from > 0,
        "a range with a factor starts at 1 or above",
    )?;
    let mut values = Vec::new();
    let mut value = from;
    while value <= to && values.len() as u64 <= MOST_VALUES {
        values.push(Value::Integer(value));
        value = next(value);
    }
    Ok(values)
}
