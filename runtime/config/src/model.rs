//! `model`: whether its name can lead to a provider. It knows no provider itself: core does.

use synapse_core::provider::{ModelOwner, PROVIDERS, model_owner};

use crate::document::quoted;
use crate::key::Spanned;
use crate::nearest::nearest;
use crate::problem::{Problem, Problems};

/// Families of models and the prefix of their maker, for names without one.
const FAMILIES: [(&str, &str); 8] = [
    ("gpt", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("claude", "anthropic"),
    ("gemini", "google"),
    ("mistral", "mistral"),
    ("grok", "xai"),
    ("deepseek", "deepseek"),
];

pub(crate) fn check(model: &Spanned<String>, key: &str, problems: &mut Problems) {
    let name = model.value.as_str();
    if model_owner(name) != ModelOwner::Unknown {
        return;
    }
    let problem = match name.split_once(':') {
        // A newer pydantic-ai may know it.
        Some((prefix, rest)) => {
            let prefixes = PROVIDERS
                .iter()
                .flat_map(|provider| provider.prefixes)
                .copied();
            Problem::warning(
                key,
                format!("`{key}`: no provider {} is known", quoted(prefix)),
            )
            .help_if(
                nearest(prefix, prefixes).map(|near| format!("did you mean \"{near}:{rest}\"?")),
            )
        }
        None => Problem::error(
            key,
            format!(
                "`{key}` must be \"offline\" or \"provider:model\", found {}",
                quoted(name)
            ),
        )
        .help_if(complete(name)),
    };
    problems.push(problem.at(model.span.clone(), ""));
}

fn complete(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    if let Some((_, prefix)) = FAMILIES
        .iter()
        .find(|(family, _)| lower.starts_with(family))
    {
        return Some(format!("did you mean \"{prefix}:{name}\"?"));
    }
    nearest(name, ["offline"]).map(|near| format!("did you mean \"{near}\"?"))
}
