//! Reading variables one by one, and collecting every problem.

/// Where variables come from, which were asked for, and what was wrong.
pub(super) struct Lookup<G> {
    get: G,
    asked: Vec<&'static str>,
    problems: Vec<String>,
}

impl<G: Fn(&str) -> Option<String>> Lookup<G> {
    pub(super) fn new(get: G) -> Self {
        Self { get, asked: Vec::new(), problems: Vec::new() }
    }

    /// Reads one variable; a bad value is noted, and the default goes on.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        self.asked.push(name);
        let Some(text) = (self.get)(name) else {
            return default;
        };
        parse(text.trim()).unwrap_or_else(|problem| {
            self.problems.push(format!("{name} {problem}"));
            default
        })
    }

    /// Notes a problem between values.
    pub(super) fn problem(&mut self, name: &str, problem: &str, remedy: &str) {
        self.problems.push(format!("{name} {problem}: {remedy}"));
    }

    /// A `BATON_` name that nobody asked for is a typo, and refuses to start.
    pub(super) fn refuse_unknown(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            if name.starts_with("BATON_") && !self.asked.contains(&name.as_str()) {
                let meant = self.asked.iter().max_by_key(|known| common_prefix(known, &name));
                self.problems.push(match meant {
                    Some(known) => format!("{name} is not a variable: did you mean `{known}`?"),
                    None => format!("{name} is not a variable: remove it"),
                });
            }
        }
    }

    pub(super) fn problems(self) -> Vec<String> {
        self.problems
    }
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}
