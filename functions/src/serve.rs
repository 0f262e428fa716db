//! An endpoint function: events of an HTTP API to the routes of a slice.

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use lambda_http::{Request, Service as _, service_fn};
use manager_svc::app::App;
use manager_svc::router;
use tokio::sync::OnceCell;

use crate::event;
use crate::function::{Function, refuse};

/// Serves these routes to the events of this process's function, until the process is ended.
pub async fn serve(routes: fn(App) -> Router) -> ExitCode {
    let function = match Function::start(|_| {}).await {
        Ok(function) => function,
        Err(error) => return refuse(&error),
    };
    let endpoint = Arc::new(Endpoint { function, routes, router: OnceCell::new() });
    let handler = service_fn(move |request: Request| {
        let endpoint = Arc::clone(&endpoint);
        async move { Ok::<_, Infallible>(endpoint.answer(request).await) }
    });
    match lambda_http::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(error.as_ref()),
    }
}

struct Endpoint {
    function: Function,
    routes: fn(App) -> Router,
    router: OnceCell<Router>,
}

impl Endpoint {
    async fn answer(&self, request: Request) -> Response {
        let (invocation, deadline_ms) = event::of(&request);
        let request = event::request(request, &invocation);
        let app = match self.function.app(deadline_ms).await {
            Ok(app) => app,
            Err(error) => {
                let Ok(response) = router::unavailable(error.to_string()).call(request).await;
                return response;
            }
        };
        let router = self.router.get_or_init(async || (self.routes)(app.clone())).await;
        let Ok(response) = router.clone().call(request).await;
        // What goes on after the answer is frozen with the process, so the nudge comes before it.
        self.function.nudger.nudge_for_handler(app).await;
        response
    }
}
