//! Which environment variables belong to which model provider, and which providers a source names.
//!
//! It knows names only: it reads no environment and no file, and never decides what is passed on.

/// A model provider of pydantic-ai and the variables that its classes read.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// The name for people and for the first prefix, e.g. `openai` of `openai:gpt-5`.
    pub name: &'static str,
    /// Every prefix of a model name that leads here.
    pub prefixes: &'static [&'static str],
    /// What its classes begin with, e.g. `OpenAI` of `OpenAIChatModel`.
    pub classes: &'static [&'static str],
    /// Credentials first, then addresses and the like.
    pub variables: &'static [&'static str],
}

/// The prefix of Pydantic's own gateway: `gateway/openai:gpt-5`.
const GATEWAY_PREFIX: &str = "gateway/";

/// Model names without a prefix: neither needs a key.
const KEYLESS_MODELS: [&str; 2] = ["offline", "test"];

const GATEWAY_VARIABLES: &[&str] = &[
    "PYDANTIC_AI_GATEWAY_API_KEY",
    "PAIG_API_KEY",
    "PYDANTIC_AI_GATEWAY_BASE_URL",
    "PAIG_BASE_URL",
];

const AWS_VARIABLES: &[&str] = &[
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
];

macro_rules! provider {
    ($name:literal, [$($prefix:literal),*], [$($class:literal),*], $variables:expr) => {
        Provider {
            name: $name,
            prefixes: &[$name, $($prefix),*],
            classes: &[$($class),*],
            variables: $variables,
        }
    };
}

/// The providers of pydantic-ai 2.x, as its `providers` package reads the environment.
#[rustfmt::skip]
pub static PROVIDERS: &[Provider] = &[
    provider!("openai", ["openai-chat", "openai-responses", "openai-decisions"], ["OpenAI"],
        &["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"]),
    provider!("anthropic", [], ["Anthropic"],
        &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"]),
    provider!("google", ["google-gla", "google-decisions"], ["Google", "Gemini"],
        &["GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL"]),
    provider!("google-cloud", ["google-vertex"], ["GoogleCloud", "GoogleVertex"],
        &["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_API_KEY", "GEMINI_API_KEY",
          "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "GOOGLE_VERTEX_BASE_URL"]),
    provider!("groq", [], ["Groq"], &["GROQ_API_KEY", "GROQ_BASE_URL"]),
    provider!("mistral", [], ["Mistral"], &["MISTRAL_API_KEY"]),
    provider!("cohere", [], ["Cohere"], &["CO_API_KEY", "CO_BASE_URL"]),
    provider!("bedrock", ["bedrock-mantle"], ["Bedrock"], AWS_VARIABLES),
    provider!("azure", ["azure-responses"], ["Azure", "AzureOpenAI"],
        &["AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT",
          "OPENAI_API_VERSION"]),
    provider!("openrouter", [], ["OpenRouter"],
        &["OPENROUTER_API_KEY", "OPENROUTER_APP_URL", "OPENROUTER_APP_TITLE"]),
    provider!("deepseek", [], ["DeepSeek"], &["DEEPSEEK_API_KEY"]),
    provider!("xai", ["grok"], ["Xai", "Grok"], &["XAI_API_KEY", "GROK_API_KEY"]),
    provider!("huggingface", [], ["HuggingFace"], &["HF_TOKEN", "HF_ENDPOINT"]),
    provider!("ollama", [], ["Ollama"], &["OLLAMA_API_KEY", "OLLAMA_BASE_URL"]),
    provider!("vllm", [], ["VLLM"], &["VLLM_API_KEY", "VLLM_BASE_URL"]),
    provider!("litellm", [], ["LiteLLM"], &["LITELLM_API_KEY", "LITELLM_BASE_URL"]),
    provider!("cerebras", [], ["Cerebras"], &["CEREBRAS_API_KEY"]),
    provider!("fireworks", [], ["Fireworks"], &["FIREWORKS_API_KEY"]),
    provider!("together", [], ["Together"], &["TOGETHER_API_KEY"]),
    provider!("moonshotai", [], ["MoonshotAI"], &["MOONSHOTAI_API_KEY", "MOONSHOTAI_BASE_URL"]),
    provider!("alibaba", [], ["Alibaba"], &["ALIBABA_API_KEY", "DASHSCOPE_API_KEY"]),
    provider!("zai", [], ["Zai"], &["ZAI_API_KEY"]),
    provider!("meta", [], ["Meta"], &["META_API_KEY"]),
    provider!("vercel", [], ["Vercel"], &["VERCEL_AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"]),
    provider!("heroku", [], ["Heroku"], &["HEROKU_INFERENCE_KEY", "HEROKU_INFERENCE_URL"]),
    provider!("github", [], ["GitHub"], &["GITHUB_API_KEY"]),
    provider!("github-copilot", [], ["GitHubCopilot"],
        &["GITHUB_COPILOT_API_KEY", "GITHUB_COPILOT_API_TOKEN", "COPILOT_GITHUB_TOKEN",
          "GITHUB_COPILOT_BASE_URL", "COPILOT_API_URL", "GITHUB_COPILOT_API_BASE",
          "GITHUB_COPILOT_INTEGRATION_ID"]),
    provider!("nebius", [], ["Nebius"], &["NEBIUS_API_KEY"]),
    provider!("ovhcloud", [], ["OVHcloud"], &["OVHCLOUD_API_KEY"]),
    provider!("sambanova", [], ["SambaNova"], &["SAMBANOVA_API_KEY", "SAMBANOVA_BASE_URL"]),
    provider!("snowflake", [], ["Snowflake"], &["SNOWFLAKE_TOKEN", "SNOWFLAKE_ACCOUNT"]),
    provider!("crusoe", [], ["Crusoe"], &["CRUSOE_API_KEY"]),
    provider!("system-one", [], ["SystemOne"], &["SYSTEM_ONE_API_KEY", "SYSTEM_ONE_BASE_URL"]),
    provider!("typesafe", [], ["TypeSafe"], &["TYPESAFE_API_KEY", "TYPESAFE_BASE_URL"]),
    provider!("openai-codex", ["openai-chatgpt"], ["OpenAICodex", "OpenAIChatGPT"],
        &["CODEX_HOME"]),
    provider!("voyageai", [], ["VoyageAI"], &["VOYAGE_API_KEY"]),
    provider!("elevenlabs", [], ["ElevenLabs"], &["ELEVENLABS_API_KEY"]),
    provider!("gateway", [], ["Gateway"], GATEWAY_VARIABLES),
];

/// What a model's name says about where it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelOwner {
    /// `offline` and `test`: no key, no network.
    Nobody,
    /// A known provider.
    Known(&'static Provider),
    /// A prefix that is not in the table, or none at all.
    Unknown,
}

/// Whose model `model` is, by its prefix.
#[must_use]
pub fn model_owner(model: &str) -> ModelOwner {
    if KEYLESS_MODELS.contains(&model) {
        return ModelOwner::Nobody;
    }
    let Some((prefix, _)) = model.split_once(':') else {
        return ModelOwner::Unknown;
    };
    let prefix = if prefix.starts_with(GATEWAY_PREFIX) {
        "gateway"
    } else {
        prefix
    };
    by_prefix(prefix).map_or(ModelOwner::Unknown, ModelOwner::Known)
}

/// The variables that the provider of `model` reads; none for `offline` and unknown providers.
#[must_use]
pub fn key_variables(model: &str) -> &'static [&'static str] {
    match model_owner(model) {
        ModelOwner::Known(provider) => provider.variables,
        ModelOwner::Nobody | ModelOwner::Unknown => &[],
    }
}

/// The providers that a Python source names: by a model's name (`"openai:gpt-5"`), by a class
/// (`OpenAIChatModel`), by `provider="openai"`, or by one of their variables. In the table's order.
///
/// It reads text, not Python: what it finds too much costs a key passed to an agent whose source
/// names that provider; what it misses is passed by `env_pass`.
#[must_use]
pub fn providers_in_source(text: &str) -> Vec<&'static Provider> {
    // A call keeps its parenthesis, so that `OpenAI()` is told from the word in a sentence.
    let words: Vec<&str> = text.split_inclusive(|c: char| !is_word(c)).collect();
    let literals = model_literals(text);
    PROVIDERS
        .iter()
        .filter(|provider| {
            literals
                .iter()
                .any(|prefix| provider.prefixes.contains(prefix))
                || words.iter().any(|word| names_class(provider, word))
                || words
                    .iter()
                    .any(|word| provider.variables.contains(&bare(word)))
        })
        .collect()
}

/// Every variable of every provider that holds a secret, sorted, each once.
#[must_use]
pub fn credential_variables() -> Vec<&'static str> {
    let mut names: Vec<&str> = PROVIDERS
        .iter()
        .flat_map(|provider| provider.variables)
        .copied()
        .filter(|name| is_credential(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a variable of the table holds a secret, rather than an address or an account.
fn is_credential(name: &str) -> bool {
    const PARTS: [&str; 4] = ["KEY", "TOKEN", "SECRET", "CREDENTIALS"];
    !name.ends_with("_FILE")
        && PARTS
            .iter()
            .any(|part| name.split('_').any(|word| word == *part))
}

fn by_prefix(prefix: &str) -> Option<&'static Provider> {
    PROVIDERS
        .iter()
        .find(|provider| provider.prefixes.contains(&prefix))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn bare(word: &str) -> &str {
    word.trim_end_matches(|c: char| !is_word(c))
}

/// `OpenAIChatModel`, `OpenAIProvider` and the SDK's own `OpenAI(` and `AsyncOpenAI`, but neither
/// `OpenAIError` nor the bare word in a sentence. A longer name of another provider
/// (`GoogleCloudProvider`) also counts for the shorter one.
fn names_class(provider: &Provider, word: &str) -> bool {
    let called = word.ends_with('(');
    let word = bare(word);
    let (word, client) = word
        .strip_prefix("Async")
        .map_or((word, called), |rest| (rest, true));
    provider.classes.iter().any(|class| {
        word.strip_prefix(class).is_some_and(|rest| {
            (rest.is_empty() && client) || rest.ends_with("Model") || rest.ends_with("Provider")
        })
    })
}

/// The prefixes in string literals: `"openai:gpt-5"`, and `provider="openai"` as a whole.
fn model_literals(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, quote) in text.char_indices().filter(|(_, c)| matches!(c, '"' | '\'')) {
        let Some(rest) = text.get(at + 1..) else {
            continue;
        };
        let end = rest
            .find(|c: char| {
                !(c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '/'))
            })
            .unwrap_or(rest.len());
        let (Some(literal), Some(tail)) = (rest.get(..end), rest.get(end..)) else {
            continue;
        };
        let literal = if literal.starts_with(GATEWAY_PREFIX) {
            "gateway"
        } else {
            literal
        };
        let before = text.get(..at).unwrap_or_default().trim_end();
        if tail.starts_with(':') || (tail.starts_with(quote) && before.ends_with("provider=")) {
            found.push(literal);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        providers_in_source(text)
            .iter()
            .map(|provider| provider.name)
            .collect()
    }

    #[test]
    fn a_model_name_leads_to_the_variables_of_its_provider() {
        assert_eq!(
            key_variables("openai:gpt-5").first(),
            Some(&"OPENAI_API_KEY")
        );
        assert_eq!(
            key_variables("openai-responses:gpt-5"),
            key_variables("openai:gpt-5")
        );
        assert_eq!(
            key_variables("gateway/openai:gpt-5").first(),
            Some(&"PYDANTIC_AI_GATEWAY_API_KEY")
        );
        assert!(key_variables("ollama:qwen3").contains(&"OLLAMA_BASE_URL"));
    }

    #[test]
    fn models_without_a_provider_need_no_key() {
        for model in ["offline", "test", "gpt-5", "nobody:model", ""] {
            assert!(key_variables(model).is_empty(), "{model}");
        }
        assert_eq!(model_owner("offline"), ModelOwner::Nobody);
        assert_eq!(model_owner("gpt-5"), ModelOwner::Unknown);
    }

    #[test]
    fn a_source_names_its_providers_by_model_class_keyword_and_variable() {
        assert_eq!(
            names("agent = Agent('anthropic:claude-sonnet-4-5')"),
            ["anthropic"]
        );
        assert_eq!(names("Agent(\"gateway/openai:gpt-5\")"), ["gateway"]);
        assert_eq!(names("model = OpenAIChatModel('gpt-5')"), ["openai"]);
        assert_eq!(names("client = AsyncAnthropic()"), ["anthropic"]);
        assert_eq!(names("client = OpenAI()"), ["openai"]);
        assert_eq!(
            names("OpenAIChatModel('x', provider='openrouter')"),
            ["openai", "openrouter"]
        );
        assert_eq!(names("key = os.environ['GROQ_API_KEY']"), ["groq"]);
    }

    #[test]
    fn a_source_without_a_provider_names_none() {
        assert!(names("def echo(prompt: str) -> str:\n    return prompt\n").is_empty());
        assert!(names("url = 'http://localhost:8000'  # 'openai' in prose").is_empty());
        assert!(names("agent = Agent('test')").is_empty());
        assert!(names("instructions = 'Work Together with Google and OpenAI.'").is_empty());
    }

    #[test]
    fn credentials_are_told_from_addresses() {
        let names = credential_variables();
        assert!(names.contains(&"OPENAI_API_KEY"));
        assert!(names.contains(&"HF_TOKEN"));
        assert!(names.contains(&"AWS_SECRET_ACCESS_KEY"));
        assert!(!names.contains(&"OPENAI_BASE_URL"));
        assert!(!names.contains(&"AWS_WEB_IDENTITY_TOKEN_FILE"));
    }

    #[test]
    fn no_prefix_leads_to_two_providers() {
        let mut prefixes: Vec<_> = PROVIDERS.iter().flat_map(|p| p.prefixes).collect();
        let all = prefixes.len();
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), all);
    }
}
