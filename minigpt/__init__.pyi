# The names that `import minigpt` offers, each with the module it is from: editors and mypy read it, and so does the
# package itself, which imports a module when one of its names is asked for. `as` marks what is offered to others.
from minigpt import corpus as corpus
from minigpt import objectives as objectives
from minigpt import ops as ops
from minigpt import privacy as privacy
from minigpt import train as train
from minigpt.adapt import low_rank_adapters as low_rank_adapters
from minigpt.adapt import merge as merge
from minigpt.check import GradientError as GradientError
from minigpt.check import check_gradient as check_gradient
from minigpt.check import check_model as check_model
from minigpt.compress import Compression as Compression
from minigpt.compress import compress_model as compress_model
from minigpt.errors import UserError as UserError
from minigpt.grade import grade_file as grade_file
from minigpt.infer import DraftModel as DraftModel
from minigpt.infer import Engine as Engine
from minigpt.infer import Event as Event
from minigpt.infer import KeyValuePast as KeyValuePast
from minigpt.infer import PromptLookup as PromptLookup
from minigpt.infer import Request as Request
from minigpt.infer import Sampling as Sampling
from minigpt.infer import Speculation as Speculation
from minigpt.infer import beam_search as beam_search
from minigpt.infer import early_exit as early_exit
from minigpt.infer import embed as embed
from minigpt.infer import generate as generate
from minigpt.infer import generate_text as generate_text
from minigpt.measure import evaluate_text as evaluate_text
from minigpt.model import PRESETS as PRESETS
from minigpt.model import Batch as Batch
from minigpt.model import Call as Call
from minigpt.model import Overlay as Overlay
from minigpt.model import Params as Params
from minigpt.model import Transformer as Transformer
from minigpt.model import TransformerConfig as TransformerConfig
from minigpt.model import preset as preset
from minigpt.objectives import OBJECTIVES as OBJECTIVES
from minigpt.objectives import causal_lm as causal_lm
from minigpt.objectives import loss_and_gradient as loss_and_gradient
from minigpt.objectives import masked_lm as masked_lm
from minigpt.optim import adam as adam
from minigpt.optim import adamw as adamw
from minigpt.optim import clip_by_global_norm as clip_by_global_norm
from minigpt.optim import muon as muon
from minigpt.optim import sgd as sgd
from minigpt.optim import warmup_cosine as warmup_cosine
from minigpt.parallel import launch as launch
from minigpt.pretrained import OpenedModel as OpenedModel
from minigpt.pretrained import open_model as open_model
from minigpt.pretrained import save_gguf as save_gguf
from minigpt.pretrained import save_pretrained as save_pretrained
from minigpt.text import CORPORA as CORPORA
from minigpt.text import BytePairTokenizer as BytePairTokenizer
from minigpt.text import CharacterTokenizer as CharacterTokenizer
from minigpt.text import Corpus as Corpus
from minigpt.text import load_corpus as load_corpus
from minigpt.text import load_tokenizer as load_tokenizer
from minigpt.train import RunFolder as RunFolder
from minigpt.train import TrainSettings as TrainSettings
from minigpt.train import fit as fit
from minigpt.train import open_run as open_run
from minigpt.train import prepare_run as prepare_run

__version__: str

def __dir__() -> list[str]: ...
