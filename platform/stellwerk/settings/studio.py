"""Videos and what they cost."""

from pydantic import BaseModel, Field, SecretStr

from stellwerk.choices import ImageProvider, ScriptProvider, VoiceProvider
from stellwerk.settings.naming import named


class Studio(BaseModel):
    """Videos and what they cost."""

    # Studio
    allow_local_providers: bool = False  # in production: template, local, pillow, local files
    script_provider: ScriptProvider = ScriptProvider.TEMPLATE
    voice_provider: VoiceProvider = VoiceProvider.LOCAL
    image_provider: ImageProvider = ImageProvider.PILLOW
    openai_api_key: SecretStr = named("openai_api_key", SecretStr(""), "OPENAI_API_KEY")
    openai_base_url: str = named("openai_base_url", "", "OPENAI_BASE_URL")
    openai_script_model: str = "gpt-5-mini"
    openai_image_model: str = "gpt-image-1"
    elevenlabs_api_key: SecretStr = named("elevenlabs_api_key", SecretStr(""), "ELEVENLABS_API_KEY")
    elevenlabs_base_url: str = ""
    elevenlabs_model: str = "eleven_multilingual_v2"
    elevenlabs_voices: dict[str, str] = {  # language to voice id
        "en": "JBFqnCBsd6RMkjVDRZzb",
        "de": "JBFqnCBsd6RMkjVDRZzb",
    }
    provider_timeout_s: float = Field(default=60.0, gt=0)
