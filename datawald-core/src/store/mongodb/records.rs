//! Records: small named texts with a revision.

use mongodb::bson::doc;
use mongodb::options::FindOptions;
use serde::{Deserialize, Serialize};

use super::bson::{count, document, number, read};
use super::commands::Commands;
use super::documents::RECORDS;
use crate::Result;
use crate::store::Record;

#[derive(Debug, Serialize, Deserialize)]
struct RecordDoc {
    #[serde(rename = "_id")]
    name: String,
    rev: i64,
    value: String,
}

impl RecordDoc {
    fn record(self) -> Record {
        Record { name: self.name, rev: count(self.rev), value: self.value }
    }
}

pub(super) async fn find(commands: &Commands, name: &str) -> Result<Option<Record>> {
    const OPERATION: &str = "read record";
    let found = commands.find_one(OPERATION, RECORDS, doc! { "_id": name }).await?;
    found.map(|found| read::<RecordDoc>(OPERATION, RECORDS, &found).map(RecordDoc::record)).transpose()
}

pub(super) async fn list(commands: &Commands, prefix: &str) -> Result<Vec<Record>> {
    const OPERATION: &str = "read records";
    // Nothing that begins with the prefix comes after the prefix and the last of all characters.
    let names = doc! { "_id": { "$gte": prefix, "$lte": format!("{prefix}\u{10FFFF}") } };
    let options = FindOptions::builder().sort(doc! { "_id": 1 }).build();
    let found = commands.find(OPERATION, RECORDS, names, options).await?;
    let records = found.iter().map(|found| read::<RecordDoc>(OPERATION, RECORDS, found).map(RecordDoc::record));
    let mut records = records.collect::<Result<Vec<_>>>()?;
    records.retain(|record| record.name.starts_with(prefix));
    Ok(records)
}

pub(super) async fn write(commands: &Commands, name: &str, rev: u64, value: &str) -> Result<bool> {
    const OPERATION: &str = "write record";
    let written = match rev {
        0 => {
            let new = RecordDoc { name: name.to_owned(), rev: 1, value: value.to_owned() };
            commands.insert(OPERATION, RECORDS, vec![document(OPERATION, &new)?]).await?.duplicates.is_empty()
        }
        _ => {
            let statement = doc! {
                "q": { "_id": name, "rev": number(rev) },
                "u": { "$set": { "rev": number(rev.saturating_add(1)), "value": value } },
            };
            commands.update(OPERATION, RECORDS, vec![statement]).await?.matched > 0
        }
    };
    // An earlier call, or a try without an answer, may have written it.
    let ours = |there: Record| there.rev == rev.saturating_add(1) && there.value == value;
    Ok(written || find(commands, name).await?.is_some_and(ours))
}

pub(super) async fn delete(commands: &Commands, name: &str, rev: u64) -> Result<bool> {
    commands.delete("remove record", RECORDS, [doc! { "_id": name, "rev": number(rev) }]).await?;
    Ok(find(commands, name).await?.is_none())
}
