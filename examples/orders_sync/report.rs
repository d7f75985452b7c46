//! What came of the run: a table for people, a file for programs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, ContentArrangement, Table as TextTable};
use datawald_core::model::{Entity, FlowId, Money, Order, TxStatus};
use datawald_core::store::{EntityFilter, StagingStore};
use datawald_core::{Error, Result};
use serde::Serialize;

use crate::sides::Sides;

/// The table's width in characters; longer notes are wrapped.
const WIDTH: u16 = 150;

/// Up to so many orders are all shown; of more, the first failures only.
const SHOWN: u64 = 60;

/// One order in the report.
#[derive(Debug, Serialize)]
pub(crate) struct OrderLine {
    /// The shop.
    pub(crate) frontend: String,
    /// The file that it came from, if it came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// Magento's number.
    pub(crate) fe_order_id: String,
    /// Magento's status.
    pub(crate) fe_order_status: String,
    /// Where it stands.
    pub(crate) tx_status: TxStatus,
    /// SAP B1's key.
    pub(crate) bo_order_id: Option<String>,
    /// Why.
    pub(crate) tx_note: String,
    /// The currency of the totals.
    pub(crate) currency: Option<String>,
    /// What the customer was charged, by Magento.
    pub(crate) canonical_total: Option<Money>,
    /// What the document came to, by the sandbox SAP B1.
    pub b1_total: Option<Money>,
    /// Whether the document is cancelled, by the sandbox SAP B1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b1_cancelled: Option<bool>,
}

/// The figures of the run.
#[derive(Debug, Serialize)]
pub(crate) struct RunFigures {
    /// Orders staged.
    pub(crate) orders: u64,
    /// From the first pull to the last outcome.
    pub(crate) seconds: f64,
    /// Per round, from its pull to its last outcome.
    pub(crate) rounds: Vec<RoundFigures>,
    /// Requests that Magento saw.
    pub(crate) magento_requests: u64,
    /// Requests that SAP B1 saw.
    pub b1_requests: u64,
    /// What was written, where the sandbox counts it: requests that write over SAP B1 RESTful, orders over the Service Layer.
    pub b1_writes: Option<u64>,
    /// Documents in the sandbox SAP B1.
    pub b1_documents: Option<u64>,
    /// Commands that this process sent to MongoDB, if that is the store.
    pub(crate) store_commands: Option<u64>,
    /// The most memory that this process held, in KiB, where the system tells.
    pub(crate) peak_memory_kib: Option<u64>,
    /// The processor time that this process used, where the system tells.
    pub(crate) cpu_seconds: Option<f64>,
}

/// The figures of one round.
#[derive(Debug, Serialize)]
pub(crate) struct RoundFigures {
    /// How long it took.
    pub(crate) seconds: f64,
    /// Orders that were new or changed.
    pub(crate) taken_up: u64,
    /// Orders that had not changed.
    pub(crate) unchanged: u64,
    /// How its sync tasks were closed, per shop.
    pub(crate) sync_status: Vec<String>,
    /// Requests that SAP B1 saw in it.
    pub b1_requests: u64,
    /// What was written, where the sandbox counts it: requests that write over SAP B1 RESTful, orders over the Service Layer.
    pub b1_writes: Option<u64>,
}

/// Totals per status, and the money on both sides.
#[derive(Debug, Default)]
struct Sums {
    orders: u64,
    by_status: [u64; TxStatus::ALL.len()],
    canonical: Money,
    b1: Money,
    unequal: u64,
}

/// Prints the table and writes the report file, in one walk through the store.
pub(crate) async fn write(
    store: &dyn StagingStore,
    flows: &[FlowId],
    sides: &Sides,
    figures: &mut RunFigures,
    file: Option<&Path>,
    out: &mut impl Write,
) -> Result<()> {
    let io = |error: std::io::Error| {
        Error::config("write report", "cannot be written: is there room, and the right to?").caused_by(error)
    };
    let mut json = match file {
        Some(path) => Some(BufWriter::new(File::create(path).map_err(io)?)),
        None => None,
    };
    if let Some(json) = &mut json {
        json.write_all(b"{\"orders\":[").map_err(io)?;
    }
    let (mut all, mut failures) = (table(), table());
    let mut sums = Sums::default();
    for flow in flows {
        let mut filter = EntityFilter { flow: Some(flow.clone()), limit: 500, ..EntityFilter::default() };
        loop {
            let listing = store.list(&filter).await?;
            for entity in &listing.items {
                let line = line(entity, sides);
                if let Some(json) = &mut json {
                    if sums.orders > 0 {
                        json.write_all(b",\n").map_err(io)?;
                    }
                    serde_json::to_writer(&mut *json, &line).map_err(|error| io(error.into()))?;
                }
                sums.add(&line);
                if sums.orders <= SHOWN {
                    all.add_row(row(&line));
                }
                if line.tx_status == TxStatus::Failed && sums.failed() <= SHOWN {
                    failures.add_row(row(&line));
                }
            }
            match listing.next {
                Some(next) => filter.after = Some(next),
                None => break,
            }
        }
    }
    figures.orders = sums.orders;
    if let Some(mut json) = json {
        json.write_all(b"],\"run\":").map_err(io)?;
        serde_json::to_writer_pretty(&mut json, figures).map_err(|error| io(error.into()))?;
        json.write_all(b"}\n").map_err(io)?;
        json.flush().map_err(io)?;
    }
    let shown = if sums.orders <= SHOWN { all } else { failures };
    if !shown.is_empty() {
        writeln!(out, "{shown}").map_err(io)?;
    }
    sums.print(figures, sides.b1_is_sandbox(), out).map_err(io)
}

fn table() -> TextTable {
    let mut table = TextTable::new();
    table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(["shop", "order", "status", "", "SAP B1", "charged", "document", "note"]);
    for column in [5, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn line(entity: &Entity, sides: &Sides) -> OrderLine {
    // What could not be mapped has no canonical document.
    let order: Option<Order> = serde_json::from_str(&entity.doc).ok();
    let document = sides.document(entity);
    OrderLine {
        frontend: entity.key.frontend.clone(),
        file: sides.file(entity),
        fe_order_id: if entity.name.is_empty() { entity.key.id.clone() } else { entity.name.clone() },
        fe_order_status: entity.source_status.clone(),
        tx_status: entity.status,
        bo_order_id: entity.target_id.clone(),
        tx_note: entity.note.clone(),
        currency: order.as_ref().map(|order| order.currency.clone()),
        canonical_total: order.as_ref().map(|order| cents(order.grand_total)),
        b1_total: document.as_ref().map(|document| cents(document.total)),
        b1_cancelled: document.as_ref().map(|document| document.cancelled),
    }
}

/// With two places at least, so that equal amounts look the same.
fn cents(amount: Money) -> Money {
    let mut amount = amount.normalize();
    amount.rescale(amount.scale().max(2));
    amount
}

fn row(line: &OrderLine) -> [String; 8] {
    let money = |amount: Option<Money>| amount.map(|amount| amount.to_string()).unwrap_or_default();
    let charged = format!("{} {}", money(line.canonical_total), line.currency.as_deref().unwrap_or_default());
    [
        line.frontend.clone(),
        line.fe_order_id.clone(),
        line.fe_order_status.clone(),
        line.tx_status.letter().to_owned(),
        line.bo_order_id.clone().unwrap_or_default(),
        charged.trim().to_owned(),
        money(line.b1_total),
        line.tx_note.clone(),
    ]
}

impl Sums {
    fn add(&mut self, line: &OrderLine) {
        self.orders += 1;
        for (status, count) in TxStatus::ALL.iter().zip(&mut self.by_status) {
            *count += u64::from(*status == line.tx_status);
        }
        if line.tx_status == TxStatus::Success {
            self.canonical += line.canonical_total.unwrap_or_default();
            self.b1 += line.b1_total.unwrap_or_default();
            self.unequal += u64::from(line.b1_total.is_some() && line.b1_total != line.canonical_total);
        }
    }

    fn failed(&self) -> u64 {
        self.of(TxStatus::Failed)
    }

    fn of(&self, status: TxStatus) -> u64 {
        TxStatus::ALL.iter().zip(self.by_status).filter(|(other, _)| **other == status).map(|(_, count)| count).sum()
    }

    fn print(&self, figures: &RunFigures, sandbox: bool, out: &mut impl Write) -> std::io::Result<()> {
        let outcomes: Vec<_> = TxStatus::ALL
            .iter()
            .filter(|status| self.of(**status) > 0)
            .map(|status| format!("{} {status}", self.of(*status)))
            .collect();
        writeln!(out, "{} orders: {}", self.orders, outcomes.join(", "))?;
        writeln!(out, "applied orders (S): charged {} in Magento", cents(self.canonical))?;
        if sandbox {
            writeln!(
                out,
                "                    documents {} in SAP B1, {} of them not equal",
                cents(self.b1),
                self.unequal
            )?;
        }
        for (number, round) in figures.rounds.iter().enumerate() {
            writeln!(
                out,
                "round {}: {:.2} s, {} taken up, {} unchanged, {} requests to SAP B1{}, sync task {}",
                number + 1,
                round.seconds,
                round.taken_up,
                round.unchanged,
                round.b1_requests,
                round.b1_writes.map(|writes| format!(" with {writes} writes")).unwrap_or_default(),
                round.sync_status.join(", "),
            )?;
        }
        if let Some(kib) = figures.peak_memory_kib {
            writeln!(out, "peak memory {} MiB", kib / 1024)?;
        }
        Ok(())
    }
}
