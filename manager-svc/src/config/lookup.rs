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
        let parsed = if text.contains(char::REPLACEMENT_CHARACTER) {
            Err("is not UTF-8: write it in plain characters".to_owned())
        } else {
            parse(text.trim())
        };
        parsed.unwrap_or_else(|problem| {
            self.problems.push(format!("{name} {problem}"));
            default
        })
    }

    /// Notes a problem between values.
    pub(super) fn problem(&mut self, name: &str, problem: &str, remedy: &str) {
        self.problems.push(format!("{name} {problem}: {remedy}"));
    }

    /// Names that belong to another program of Baton: known, and refused.
    pub(super) fn refuse_foreign(&mut self, names: &[&'static str], problem: &str) {
        for name in names {
            self.asked.push(name);
            if (self.get)(name).is_some() {
                self.problem(name, problem, "remove it");
            }
        }
    }

    /// A `BATON_` name that nobody asked for is a typo, and refuses to start.
    pub(super) fn refuse_unknown(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            if name.starts_with("BATON_") && !self.asked.contains(&name.as_str()) {
                self.problems.push(match self.meant(&name) {
                    Some(known) => format!("{name} is not a variable: did you mean `{known}`?"),
                    None => format!(
                        "{name} is not a variable: remove it, or look its name up in the README"
                    ),
                });
            }
        }
    }

    /// The variable that a wrong name stands for: with the prefix too many, cut short, or misspelt.
    fn meant(&self, name: &str) -> Option<&'static str> {
        let bare = name.strip_prefix("BATON_")?;
        let exact =
            |known: &&&str| **known == bare || (!bare.is_empty() && known.starts_with(name));
        if let Some(known) = self.asked.iter().find(exact) {
            return Some(known);
        }
        let near = self.asked.iter().map(|known| (edits(name, known), *known)).min()?;
        (near.0 <= name.len() / 4).then_some(near.1)
    }

    pub(super) fn problems(self) -> Vec<String> {
        self.problems
    }
}

/// How many letters to change, insert or remove until one is the other.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
