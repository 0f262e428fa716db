//! Which functions there are, and which of them answers which request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

/// The inventory that the deployment reads too.
const FILE: &str = include_str!("../../../infra/terraform/functions.json");

#[derive(Debug, Deserialize)]
struct Function {
    routes: Vec<String>,
    timeout_s: u64,
    nudges: bool,
}

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The function that answers.
    pub function: String,
    /// `GET /action/{id}`.
    pub key: String,
}

/// All functions and routes.
#[derive(Debug, Clone)]
pub struct Inventory(Arc<BTreeMap<String, Function>>);

impl Inventory {
    /// What is deployed.
    #[must_use]
    pub fn of_deployment() -> Self {
        Self::parse(FILE)
    }

    /// The inventory that a text of the same form says.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(Arc::new(serde_json::from_str(text).expect("an inventory of functions")))
    }

    /// Every function, with how long it may take.
    pub fn functions(&self) -> impl Iterator<Item = (&str, Duration)> {
        let limit = |function: &Function| Duration::from_secs(function.timeout_s);
        self.0.iter().map(move |(name, function)| (name.as_str(), limit(function)))
    }

    /// Whether a function starts `tick`.
    #[must_use]
    pub fn nudges(&self, function: &str) -> bool {
        self.0.get(function).is_some_and(|function| function.nudges)
    }

    /// Every route.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        let routes = self.0.iter().flat_map(|(name, function)| {
            function.routes.iter().map(|key| Route { function: name.clone(), key: key.clone() })
        });
        routes.collect()
    }

    /// The route of a request.
    #[must_use]
    pub fn route(&self, method: &str, path: &str) -> Option<Route> {
        self.routes().into_iter().find(|route| {
            let (of, pattern) = route.key.split_once(' ').expect("a method and a path");
            let fits = |(wanted, given): (&str, &str)| {
                wanted == given || (wanted.starts_with('{') && !given.is_empty())
            };
            of == method
                && pattern.split('/').count() == path.split('/').count()
                && pattern.split('/').zip(path.split('/')).all(fits)
        })
    }
}
