"""What the programs of `programs` would import for seconds each."""

import uniscale_integrations.cli.app
import uniscale_integrations.langchain
import uniscale_integrations.llama_index
import uniscale_integrations.models.local.transformers  # noqa: F401
