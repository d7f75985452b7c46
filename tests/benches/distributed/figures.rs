//! What one run costs, and how several are told.

use crate::proc::Activity;
use crate::servers::Load;

/// The figures of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    /// Orders applied.
    pub(crate) orders: u64,
    /// From the start of the pull until every outcome is known to who pulled.
    pub(crate) seconds: f64,
    /// From there until the last outcome was stored, where that is told; the rest is spent on noticing it.
    pub(crate) applied_seconds: Option<f64>,
    /// Processor time of all its processes.
    pub(crate) cpu_seconds: f64,
    /// The most memory that its processes held at one moment, in KiB.
    pub(crate) memory_kib: u64,
    /// Reads and writes that the MongoDB server counted.
    pub(crate) operations: f64,
    /// Commands that its processes sent to the MongoDB server, where they count them.
    pub(crate) commands: Option<f64>,
    /// Writes of the documents of entities, where they tell.
    pub(crate) document_writes: Option<f64>,
    /// Requests that SAP B1 saw.
    pub(crate) b1_requests: f64,
    /// What the servers did meanwhile.
    pub(crate) load: Load,
    /// What the MongoDB server did until the last outcome was stored, where that is told.
    pub(crate) applying: Option<Activity>,
}

impl Turn {
    fn per_order(&self, figure: f64) -> f64 {
        figure / count(self.orders)
    }

    /// Orders per second.
    pub(crate) fn rate(&self) -> f64 {
        count(self.orders) / self.seconds
    }

    /// Orders per second until the last outcome was stored.
    pub(crate) fn applied_rate(&self) -> Option<f64> {
        Some(count(self.orders) / self.applied_seconds?)
    }
}

/// A figure of a run, for the table.
struct Row {
    name: &'static str,
    places: usize,
    figure: fn(&Turn) -> Option<f64>,
    /// Whether more is better, where a ratio says anything.
    ratio: Option<bool>,
}

const ROWS: [Row; 8] = [
    Row { name: "orders/s", places: 0, figure: |turn| Some(turn.rate()), ratio: Some(true) },
    Row { name: "orders/s until the last outcome was stored", places: 0, figure: Turn::applied_rate, ratio: None },
    Row {
        name: "CPU seconds per 1,000 orders",
        places: 3,
        figure: |turn| Some(turn.per_order(turn.cpu_seconds * 1_000.0)),
        ratio: Some(false),
    },
    Row {
        name: "store operations per order, by the server",
        places: 3,
        figure: |turn| Some(turn.per_order(turn.operations)),
        ratio: Some(false),
    },
    Row {
        name: "store commands per order, by the processes",
        places: 3,
        figure: |turn| Some(turn.per_order(turn.commands?)),
        ratio: None,
    },
    Row {
        name: "writes of an order's document",
        places: 2,
        figure: |turn| Some(turn.per_order(turn.document_writes?)),
        ratio: None,
    },
    Row {
        name: "B1 requests per order",
        places: 3,
        figure: |turn| Some(turn.per_order(turn.b1_requests)),
        ratio: Some(false),
    },
    Row {
        name: "peak memory of all processes, MiB",
        places: 0,
        figure: |turn| Some(count(turn.memory_kib) / 1_024.0),
        ratio: Some(false),
    },
];

/// Prints the medians of each kind of run beside each other, and the ratios to the first kind.
pub(crate) fn print(kinds: &[(&str, &[Turn])]) {
    print!("  {:<43}", "");
    for (name, _) in kinds {
        print!("{name:>24}");
    }
    println!();
    for row in &ROWS {
        print!("  {:<43}", row.name);
        let mut first = None;
        for (place, (_, turns)) in kinds.iter().enumerate() {
            let cell = match median(turns.iter().filter_map(row.figure)) {
                None => "-".to_owned(),
                Some(figure) => {
                    let text = format!("{figure:.*}", row.places);
                    match (row.ratio, first) {
                        (Some(true), Some(first)) => format!("{text} (x {:.1})", figure / first),
                        (Some(false), Some(first)) => format!("{text} (1/{:.1})", first / figure),
                        _ => {
                            first = Some(figure).filter(|_| place == 0 && kinds.len() > 1);
                            text
                        }
                    }
                }
            };
            print!("{cell:>24}");
        }
        println!();
    }
}

/// Prints who used the machine's processors.
pub(crate) fn print_load(name: &str, turns: &[Turn]) {
    let part = |figure: fn(&Load) -> f64| {
        median(turns.iter().map(|turn| figure(&turn.load) / turn.load.seconds)).unwrap_or(f64::NAN)
    };
    let own = median(turns.iter().map(|turn| turn.cpu_seconds / turn.load.seconds)).unwrap_or(f64::NAN);
    let applying = |figure: fn(Activity) -> f64| {
        median(turns.iter().filter_map(|turn| Some(figure(turn.applying?)))).unwrap_or(f64::NAN)
    };
    println!(
        "  {name:<22} {:.2} of {:.0} cores: itself {own:.2}, MongoDB {:.2}, RabbitMQ {:.2}, sandboxes {:.2}",
        part(|load| load.machine),
        part(|load| load.capacity),
        part(|load| load.mongodb),
        part(|load| load.rabbitmq),
        part(|load| load.sandboxes),
    );
    println!(
        "  {:<22} until the last outcome was stored, MongoDB used {:.2} cores and was busy {:.0} % of the time",
        "",
        applying(|activity| activity.cores),
        100.0 * applying(|activity| activity.busy),
    );
}

/// The middle one; of an even number, the lower of the two.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len().saturating_sub(1) / 2).copied()
}

/// A count as a figure.
pub(crate) fn count(number: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a count of what happens in minutes")]
    {
        number as f64
    }
}
