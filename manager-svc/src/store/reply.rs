//! Reading what Redis answers.

use bytes::Bytes;
use deadpool_redis::redis::Value;

use super::Error;

/// Takes an error out of an answer.
pub(super) fn checked(value: Value) -> Result<Value, Error> {
    match value {
        Value::ServerError(error) => {
            Err(Error::from(deadpool_redis::redis::RedisError::from(error)))
        }
        other => Ok(other),
    }
}

pub(super) fn list(value: &Value) -> Result<&[Value], Error> {
    match value {
        Value::Array(items) => Ok(items),
        Value::ServerError(error) => {
            Err(Error::from(deadpool_redis::redis::RedisError::from(error.clone())))
        }
        _ => Err(Error::Answer("a list was expected")),
    }
}

pub(super) fn integer(value: &Value) -> Result<i64, Error> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::BulkString(bytes) => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(Error::Answer("a number was expected")),
        Value::ServerError(error) => {
            Err(Error::from(deadpool_redis::redis::RedisError::from(error.clone())))
        }
        _ => Err(Error::Answer("a number was expected")),
    }
}

pub(super) fn number(value: &Value) -> Result<u64, Error> {
    u64::try_from(integer(value)?).map_err(|_| Error::Answer("a positive number was expected"))
}

pub(super) fn text(value: &Value) -> Result<&str, Error> {
    match value {
        Value::BulkString(bytes) => {
            std::str::from_utf8(bytes).map_err(|_| Error::Answer("text was expected"))
        }
        Value::SimpleString(text) => Ok(text),
        _ => Err(Error::Answer("text was expected")),
    }
}

pub(super) fn payload(value: Value) -> Result<Option<Bytes>, Error> {
    match value {
        Value::BulkString(bytes) => Ok(Some(Bytes::from(bytes))),
        Value::Nil => Ok(None),
        other => checked(other).and(Err(Error::Answer("a payload was expected"))),
    }
}

/// The item at a place of a script's answer.
pub(super) fn at(items: &[Value], index: usize) -> Result<&Value, Error> {
    items.get(index).ok_or(Error::Answer("a shorter list than expected"))
}

/// Members and scores, as `WITHSCORES` answers them; scores are whole numbers here.
pub(super) fn scored(value: &Value) -> Result<Vec<(u64, String)>, Error> {
    Ok(list(value)?
        .chunks_exact(2)
        // A score or a member that is none of ours: the invariant checker names it.
        .filter_map(|pair| Some((number(&pair[1]).ok()?, text(&pair[0]).ok()?.to_owned())))
        .collect())
}

/// A list of texts.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, Error> {
    list(value)?.iter().map(|item| text(item).map(str::to_owned)).collect()
}

/// Fields and values of a HASH.
pub(super) fn fields(value: &Value) -> Result<Vec<(&str, &str)>, Error> {
    list(value)?.chunks_exact(2).map(|pair| Ok((text(&pair[0])?, text(&pair[1])?))).collect()
}
