//! A stand-in for the manager's side of the SDK's calls: it hands each call to the test and gives the
//! answers that the test has laid out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use axum::{Json, Router};
use baton_wire::process::{CompleteIn, CompleteStatus};
use baton_wire::processor::{DrainOut, DrainStatus, RegisterIn, RegisterOut};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// It bounds a hang; nothing is measured by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A registration as it came, with what the call back found.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) body: RegisterIn,
    pub(crate) authorization: Option<String>,
    pub(crate) meta: serde_json::Value,
    pub(crate) options: (u16, String),
}

/// A status, and a `Retry-After` in seconds.
type Scripted = (u16, Option<u64>);

struct Inner {
    http: reqwest::Client,
    health_interval_ms: u64,
    registrations: mpsc::UnboundedSender<Registration>,
    leaves: mpsc::UnboundedSender<(String, String)>,
    beats: mpsc::UnboundedSender<CompleteIn>,
    reports: mpsc::UnboundedSender<CompleteIn>,
    /// Whether nothing is pending for a processor that leaves.
    gone: AtomicBool,
    register_answers: Mutex<VecDeque<Scripted>>,
    beat_answers: Mutex<VecDeque<Scripted>>,
    report_answers: Mutex<VecDeque<Scripted>>,
}

pub(crate) struct Manager {
    pub(crate) url: String,
    inner: Arc<Inner>,
    registrations: mpsc::UnboundedReceiver<Registration>,
    leaves: mpsc::UnboundedReceiver<(String, String)>,
    beats: mpsc::UnboundedReceiver<CompleteIn>,
    reports: mpsc::UnboundedReceiver<CompleteIn>,
}

impl Manager {
    pub(crate) async fn start(health_interval_ms: u64) -> Self {
        let (to_registrations, registrations) = mpsc::unbounded_channel();
        let (to_leaves, leaves) = mpsc::unbounded_channel();
        let (to_beats, beats) = mpsc::unbounded_channel();
        let (to_reports, reports) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            http: crate::kit::http_client(),
            health_interval_ms,
            registrations: to_registrations,
            leaves: to_leaves,
            beats: to_beats,
            reports: to_reports,
            gone: AtomicBool::new(true),
            register_answers: Mutex::default(),
            beat_answers: Mutex::default(),
            report_answers: Mutex::default(),
        });
        let app = Router::new()
            .route("/register", post(register))
            .route("/processors/{id}", delete(leave))
            .route("/complete", post(complete))
            .with_state(Arc::clone(&inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, inner, registrations, leaves, beats, reports }
    }

    pub(crate) async fn registration(&mut self) -> Registration {
        next(&mut self.registrations, "a registration").await
    }

    pub(crate) async fn leave(&mut self) -> (String, String) {
        next(&mut self.leaves, "a leave").await
    }

    pub(crate) async fn beat(&mut self) -> CompleteIn {
        next(&mut self.beats, "a heartbeat").await
    }

    pub(crate) async fn report(&mut self) -> CompleteIn {
        next(&mut self.reports, "a report").await
    }

    /// Whether a report came that nobody took.
    pub(crate) fn has_report(&mut self) -> bool {
        self.reports.try_recv().is_ok()
    }

    /// Says of a processor that leaves whether nothing is pending for it: so it is, at first.
    pub(crate) fn set_gone(&self, gone: bool) {
        self.inner.gone.store(gone, Ordering::SeqCst);
    }

    pub(crate) fn answer_registrations(&self, answers: &[Scripted]) {
        self.inner.register_answers.lock().unwrap().extend(answers);
    }

    pub(crate) fn answer_beats(&self, answers: &[Scripted]) {
        self.inner.beat_answers.lock().unwrap().extend(answers);
    }

    pub(crate) fn answer_reports(&self, answers: &[Scripted]) {
        self.inner.report_answers.lock().unwrap().extend(answers);
    }
}

async fn next<T>(from: &mut mpsc::UnboundedReceiver<T>, what: &str) -> T {
    let got = timeout(PATIENCE, from.recv()).await;
    got.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}")).unwrap()
}

/// Calls back before it answers, as the manager does: the processor must accept by now.
async fn register(
    State(inner): State<Arc<Inner>>,
    headers: HeaderMap,
    Json(body): Json<RegisterIn>,
) -> Response {
    let meta = inner.http.get(format!("{}/meta", body.url)).send().await.unwrap();
    let meta = serde_json::from_slice(&meta.bytes().await.unwrap()).unwrap();
    let url = format!("{}/process", body.url);
    let options = inner.http.request(reqwest::Method::OPTIONS, url).send().await.unwrap();
    let allow = options.headers()["allow"].to_str().unwrap().to_owned();
    let options = (options.status().as_u16(), allow);
    let authorization = headers.get("authorization").map(|v| v.to_str().unwrap().to_owned());
    let answer = inner.register_answers.lock().unwrap().pop_front();
    let out =
        RegisterOut { id: body.id.clone(), epoch: 7, health_interval_ms: inner.health_interval_ms };
    inner.registrations.send(Registration { body, authorization, meta, options }).unwrap();
    answer.map_or_else(|| (axum::http::StatusCode::CREATED, Json(out)).into_response(), scripted)
}

async fn leave(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Json<DrainOut> {
    inner.leaves.send((id.clone(), query.unwrap_or_default())).unwrap();
    let gone = inner.gone.load(Ordering::SeqCst);
    let (status, in_flight) =
        if gone { (DrainStatus::Gone, 0) } else { (DrainStatus::Draining, 1) };
    Json(DrainOut { id, status, in_flight })
}

async fn complete(State(inner): State<Arc<Inner>>, body: Bytes) -> Response {
    let report: CompleteIn = serde_json::from_slice(&body).unwrap();
    let running = report.status == CompleteStatus::Running;
    let (calls, answers) = if running {
        (&inner.beats, &inner.beat_answers)
    } else {
        (&inner.reports, &inner.report_answers)
    };
    let answer = answers.lock().unwrap().pop_front();
    calls.send(report).unwrap();
    answer.map_or_else(|| "{\"outcome\": \"accepted\"}".into_response(), scripted)
}

fn scripted((status, retry_after): Scripted) -> Response {
    let mut response = axum::http::StatusCode::from_u16(status).unwrap().into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}
