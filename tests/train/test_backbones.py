import pytest
import timm
import torch

from train.backbones import ELSEWHERE, feature_size, has_batch_norm, is_convolutional, make_backbone, patch_side
from train.errors import ConfigError

SMALL = ["resnet10t", "test_vit", "test_convnext", "test_efficientnet", "swin_tiny_patch4_window7_224", "mobilenetv3_small_050"]


@pytest.mark.parametrize("name", SMALL)
def test_any_backbone_gives_one_vector_for_any_number_of_bands(name):
    backbone = make_backbone(name, bands=5, size_px=64)
    assert backbone(torch.randn(2, 5, 64, 64)).shape == (2, feature_size(backbone))
    assert backbone.training


def test_a_transformer_is_made_for_the_size_of_the_views():
    backbone = make_backbone("vit_tiny_patch16_224", bands=4, size_px=32)
    assert backbone.pos_embed.shape[1] == 1 + 4
    assert backbone(torch.randn(1, 4, 32, 32)).shape == (1, 192)


def test_without_a_size_it_is_timms_own():
    assert make_backbone("test_vit", bands=3).patch_embed.img_size == (160, 160)


def test_a_size_that_would_lose_its_border_is_refused():
    """timm takes 84 px with patches of 16 and leaves out the last 4 without a word."""
    with pytest.raises(ConfigError, match=r"patches of 16 px, which 84 px is no multiple of: .* Choose --size-px 80 or 96\."):
        make_backbone("vit_tiny_patch16_224", bands=3, size_px=84)


def test_a_size_that_the_network_cannot_take_is_refused():
    with pytest.raises(
        ConfigError, match=r"maxvit_rmlp_pico_rw_256 cannot be made with images of 70 px: .*designed for 256 px"
    ):
        make_backbone("maxvit_rmlp_pico_rw_256", bands=3, size_px=70)


def test_drop_path_reaches_the_network_and_is_refused_where_it_cannot():
    backbone = make_backbone("test_vit", bands=3, size_px=32, drop_path=0.2)
    assert max(getattr(each, "drop_prob", 0) or 0 for each in backbone.modules()) == pytest.approx(0.2)
    with pytest.raises(ConfigError, match=r"vgg11 cannot be made with images of 32 px and drop path 0\.2: .*drop_path_rate"):
        make_backbone("vgg11", bands=3, size_px=32, drop_path=0.2)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("resnet-50", "resnet50"),
        ("ResNet50", "resnet50"),
        ("resnet_18", "resnet18"),
        ("renset50", "resnet50"),
        ("vit_small", "vit_small_patch8_224"),
        ("vit_b_16", "vit_base_patch16_224"),
        ("swin_t", "swin_tiny_patch4_window7_224"),
        ("dino_vits8", "vit_small_patch8_224"),
        ("torchvision/resnet50", "resnet50"),
        ("hf-hub:timm/resnet50", "resnet50"),
    ],
)
def test_an_unknown_name_is_refused_with_what_may_have_been_meant(name, meant):
    with pytest.raises(ConfigError, match=rf"has no backbone '{name}'\. Did you mean .*'{meant}'"):
        make_backbone(name, bands=3)


@pytest.mark.parametrize("name", ["", "qqqqqqqqqqqq"])
def test_a_name_like_no_other_is_refused_with_where_names_are(name):
    with pytest.raises(ConfigError, match=rf"has no backbone '{name}'\. All of its names: python -c"):
        make_backbone(name, bands=3)


def test_names_from_elsewhere_lead_to_names_of_timm():
    assert all(timm.is_model(name) for name in ELSEWHERE.values())


def test_an_unknown_tag_of_weights_is_refused():
    with pytest.raises(ConfigError, match=r"has no weights 'nope' of resnet10t\. There are: resnet10t\.c3_in1k\."):
        make_backbone("resnet10t.nope", bands=3)


def test_weights_that_cannot_be_fetched_are_words(monkeypatch):
    def refuse(*args, **options):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(ConfigError, match="resnet10t cannot be made with pretrained weights: no route to host"):
        make_backbone("resnet10t", bands=3, pretrained=True)


@pytest.mark.parametrize(
    ("name", "convolutional", "batch_norm"),
    [
        ("resnet10t", True, True),
        ("test_convnext", True, False),
        ("test_vit", False, False),
        ("swin_tiny_patch4_window7_224", False, False),
    ],
)
def test_kinds_of_networks_are_told_apart(name, convolutional, batch_norm):
    backbone = timm.create_model(name, num_classes=0)
    assert is_convolutional(backbone) is convolutional
    assert has_batch_norm(backbone) is batch_norm


@pytest.mark.parametrize(
    ("name", "side"), [("vit_tiny_patch16_224", 16), ("swin_tiny_patch4_window7_224", 4), ("test_resnet", 1)]
)
def test_what_images_must_be_a_multiple_of_is_known(name, side):
    assert patch_side(name) == side


@pytest.mark.parametrize("name", ["test_vit", "swin_tiny_patch4_window7_224", "deit_tiny_patch16_224"])
def test_a_network_for_several_sizes_gives_what_one_for_a_single_size_gives(name):
    torch.manual_seed(0)
    one = make_backbone(name, bands=3, size_px=64).eval()
    several = make_backbone(name, bands=3, size_px=64, further_sizes=(48, 32)).eval()
    several.load_state_dict(one.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(several(images), one(images))
        assert several(images[..., :32, :32]).shape == (2, one.num_features)


def test_a_network_that_takes_one_size_alone_is_refused_for_several():
    with pytest.raises(
        ConfigError, match=r"takes images of one size, and the views have several\. Choose a network that takes any"
    ):
        make_backbone("maxvit_rmlp_pico_rw_256", bands=3, size_px=64, further_sizes=(32,))
    with pytest.raises(ConfigError, match=r"into patches of 16 px, which 40 px is no multiple of"):
        make_backbone("test_vit", bands=3, size_px=64, further_sizes=(40,))
