"""Vision: reading images, changing them at random, and training a transformer that names them."""

from minigpt.vision.augment import Augmentation
from minigpt.vision.images import Images
from minigpt.vision.named import NAMED_IMAGES
from minigpt.vision.prepare import prepare_images
from minigpt.vision.read import read_images
from minigpt.vision.run import ImageFolder, has_images, open_image_folder
from minigpt.vision.seen import Seen
from minigpt.vision.train import train_images

__all__ = [
    "NAMED_IMAGES",
    "Augmentation",
    "ImageFolder",
    "Images",
    "Seen",
    "has_images",
    "open_image_folder",
    "prepare_images",
    "read_images",
    "train_images",
]
