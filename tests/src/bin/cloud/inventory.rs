//! Which function answers which request.

use std::collections::BTreeMap;
use std::sync::Arc;

use kit::Request;
use serde::Deserialize;

/// The inventory that the deployment reads too.
const FILE: &str = include_str!("../../../../infra/terraform/functions.json");

#[derive(Deserialize)]
struct Function {
    routes: Vec<String>,
    timeout_s: u64,
}

/// A route of the HTTP API.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The function that answers.
    pub(crate) function: String,
    /// `GET /action/{id}`.
    pub(crate) key: String,
}

/// All routes.
#[derive(Debug, Clone)]
pub(crate) struct Inventory(Arc<Vec<Route>>);

impl Inventory {
    pub(crate) fn read() -> Self {
        let routes = functions().into_iter().flat_map(|(name, function)| {
            let route = move |key| Route { function: name.clone(), key };
            function.routes.into_iter().map(route)
        });
        Self(Arc::new(routes.collect()))
    }

    /// The route of a request: explicit ones only, there is no catch-all.
    pub(crate) fn route(&self, request: &Request) -> Option<Route> {
        let fits = |route: &&Route| {
            let (method, pattern) = route.key.split_once(' ').expect("a method and a path");
            let (mut wanted, mut given) = (pattern.split('/'), request.uri.path().split('/'));
            method == request.method.as_str()
                && wanted.by_ref().zip(given.by_ref()).all(|(wanted, given)| {
                    wanted == given || (wanted.starts_with('{') && !given.is_empty())
                })
                && pattern.split('/').count() == request.uri.path().split('/').count()
        };
        self.0.iter().find(fits).cloned()
    }
}

/// Every function with its time limit, in seconds.
pub(crate) fn timeouts() -> BTreeMap<String, u64> {
    functions().into_iter().map(|(name, function)| (name, function.timeout_s)).collect()
}

fn functions() -> BTreeMap<String, Function> {
    serde_json::from_str(FILE).expect("an inventory of functions")
}
