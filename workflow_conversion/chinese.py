"""What a conversion says, in Chinese: each sentence of the rules, {} where a name or a number stands.

The rules write English. A test reads their sentences and fails where one has no translation here.
"""

from __future__ import annotations

import functools
import re

SENTENCES = {
    # left because
    "{} has no choice {} for {}": "{0} 的 {2} 没有 {1} 这个选项",
    "{} is no number, and {} takes one for {}": "{} 不是数字，而 {} 的 {} 需要数字",
    "{} is not among {} to {}, which {} takes for {}": "{} 不在 {} 到 {} 之间，{} 的 {} 只接受这个范围",
    "{} takes {} for {}, and here it would get {}": "{0} 的 {2} 需要 {1}，在这里会得到 {3}",
    "{} takes {} for {}, and {} is wired there": "{0} 的 {2} 需要 {1}，而那里接的是 {3}",
    "{} was saved by a version whose values cannot be told apart": "保存 {} 的版本的数值无法区分",
    "a key frame changes single blocks": "某个关键帧改变单个块",
    "a key frame has a mask of its own": "某个关键帧有自己的遮罩",
    "between it and the motion module are other nodes; wire the MODEL from before the module":
        "它与运动模块之间有其他节点；请连接模块之前的 MODEL",
    "it changes the size of the picture; load it, and put Upscale Image behind":
        "它改变图片的尺寸；请直接加载，并在后面接“图像缩放”",
    "it does not say for how many frames": "它没有说明帧数",
    "it does not say for how many frames, and no sampler behind it does":
        "它没有说明帧数，后面的采样器也没有",
    "it does not say its {}": "它没有说明 {}",
    "it has a motion scale and a mask of it": "它既有运动幅度，又有它的遮罩",
    "it has a scale_multival and a mask of the motion scale": "它既有 scale_multival，又有运动幅度的遮罩",
    "it has both a value and key frames of it, which there are multiplied":
        "它既有一个值，又有该值的关键帧，原来两者相乘",
    "it has both strengths of frames and of steps, or a mask": "它同时有逐帧强度和逐步强度，或者有遮罩",
    "it has values for single blocks; Vary Value by Block has them as text":
        "它有单个块的数值；“按块变化的值”以文本方式提供",
    "it is inside a group node; choose Convert to nodes in ComfyUI, and convert again":
        "它在组节点里面；请在 ComfyUI 中选择“转换为节点”，然后再转换一次",
    "it replaces values under names of one's own; write pw_a to pw_d in backticks":
        "它用自定名称替换数值；请在反引号中写 pw_a 到 pw_d",
    "it sets a noise schedule without a motion module": "它在没有运动模块时设置噪声调度",
    "it sets the noise schedule {} without a motion module": "它在没有运动模块时设置噪声调度 {}",
    "it sets the scale of latents, and nothing here does": "它设置 Latent 的缩放，而这里没有这样的功能",
    "its {} come from {}, and nothing here is that": "它的 {} 来自 {}，而这里没有与之对应的功能",
    "its {} comes from outside of its sub-graph; unpack that": "它的 {} 来自子图之外；请先展开子图",
    "its {} comes from {}, and nothing here is that": "它的 {} 来自 {}，而这里没有与之对应的功能",
    "its {} is wired, and no input here takes it": "它的 {} 有连线，而这里没有输入可以接收",
    "its cfg comes from {}, and nothing here is that": "它的 cfg 来自 {}，而这里没有与之对应的功能",
    "its context options come from {}, and nothing here is that":
        "它的上下文选项来自 {}，而这里没有与之对应的功能",
    "its key frame {} is nothing here": "它的关键帧 {} 在这里没有对应的功能",
    "its lora_stack comes from {}, and nothing here is that":
        "它的 lora_stack 来自 {}，而这里没有与之对应的功能",
    "its m_models come from {}, and nothing here is that": "它的 m_models 来自 {}，而这里没有与之对应的功能",
    "its motion_lora comes from {}, and nothing here is that":
        "它的 motion_lora 来自 {}，而这里没有与之对应的功能",
    "its noise schedule comes from {}, and nothing here is that":
        "它的噪声调度来自 {}，而这里没有与之对应的功能",
    "its options go round in a circle": "它的选项连成了一个环",
    "its places come from {}, and nothing here is that": "它的位置来自 {}，而这里没有与之对应的功能",
    "its start_frame is not 0, and prompts begin with the first frame here":
        "它的 start_frame 不是 0，而这里的提示词从第一帧开始",
    "its strengths of frames are written in a way that cannot be read": "它的逐帧强度的写法无法读取",
    "its strengths of frames come from {}, and nothing here is that":
        "它的逐帧强度来自 {}，而这里没有与之对应的功能",
    "its strengths of frames count from the end": "它的逐帧强度从结尾数起",
    "its strengths of frames go along an unknown curve": "它的逐帧强度沿着未知的曲线变化",
    "its values or wires are none that a version of it has saved": "它的数值或连线不是任何版本所保存的",
    "its view options come from {}, and nothing here is that":
        "它的视图选项来自 {}，而这里没有与之对应的功能",
    "its weights change from key frame to key frame": "它的权重在关键帧之间变化",
    "its weights come from {}, and nothing here is that": "它的权重来自 {}，而这里没有与之对应的功能",
    "its weights have extras": "它的权重有附加设置",
    "no sampler behind it says how many frames there are": "后面没有采样器说明有多少帧",
    "noise layers need SamplerCustomAdvanced with Combine Noise":
        "噪声层需要“自定义采样器（高级）”和“合并噪声”",
    "nothing here calibrates noise": "这里没有校准噪声的功能",
    "nothing here changes the guidance as {} does": "这里没有像 {} 那样改变引导的功能",
    "nothing here does what it does": "这里没有与之对应的功能",
    "nothing here gives out the name of a file": "这里没有输出文件名的功能",
    "nothing here is {}": "这里没有与 {} 对应的功能",
    "nothing here is its output {}, which goes into {}": "这里没有它的第 {} 个输出，而它接到 {}",
    "nothing here is the noise schedule {}": "这里没有噪声调度 {}",
    "nothing here is the noise type {}": "这里没有噪声类型 {}",
    "nothing here puts images in while sampling": "这里没有在采样途中加入图像的功能",
    "nothing here samples again with what came out": "这里没有用结果再次采样的功能",
    "nothing here sets the noise of ancestral samplers": "这里没有设置祖先采样器噪声的功能",
    "nothing is wired to {} of {}": "{1} 的 {0} 没有连线",
    "nothing is wired to cfg_multival of {}": "{} 的 cfg_multival 没有连线",
    "nothing is wired to it": "它没有连线",
    "nothing is wired to its model": "它的 model 没有连线",
    "nothing is wired to motion_model of {}": "{} 的 motion_model 没有连线",
    "the motion module of {} comes from {}, and nothing here is that":
        "{} 的运动模块来自 {}，而这里没有与之对应的功能",
    "this ComfyUI has no node {}; update it": "这个 ComfyUI 没有节点 {}；请更新",
    "this ComfyUI's {} has no input {}; update it": "这个 ComfyUI 的 {} 没有输入 {}；请更新",
    "two key frames have the same value node": "两个关键帧使用同一个数值节点",
    "what it is wired to was left": "它所连接的节点保留了下来",
    "windows inside of layers are one of several context options": "层内窗口是几个上下文选项之一",
    # differs because
    "AV1 goes into an mp4 here": "AV1 在这里写入 mp4",
    "FFmpeg's palette is another one": "FFmpeg 的调色板不同",
    "FreeInit draws its fresh noise as the published code does": "FreeInit 按公开代码的方式生成新噪声",
    "SparseCtrl's numbers are those of the published code": "SparseCtrl 的数值与公开代码一致",
    "all frames come at once, not in batches; for long videos take Latents to Video File":
        "所有帧一次到达，不分批；长视频请用“潜空间保存为视频”",
    "all frames come at once, not in batches; for long videos take Video to Latents":
        "所有帧一次到达，不分批；长视频请用“视频转潜空间”",
    "both text encoders get text_g": "两个文本编码器都使用 text_g",
    "clips of two sizes are refused here, and there the second gets the size of the first":
        "这里拒绝两种尺寸的片段，原来第二个会改成第一个的尺寸",
    "crf {} is {} here, where {} to {} are allowed": "crf {} 在这里是 {}，允许的范围是 {} 到 {}",
    "files are loaded from the folder input: put {} there": "文件从 input 文件夹加载：请把 {} 放到那里",
    "frames behind number {} keep the last prompt, where they began again":
        "第 {} 帧之后保持最后的提示词，原来会重新开始",
    "frames get their size by another filter": "各帧用另一种滤波器缩放",
    "gifski's palette is another one": "gifski 的调色板不同",
    "its bit rate is a quality here, crf": "它的码率在这里是质量 crf",
    "its schedule of windows is another one": "它的窗口安排不同",
    "max_f is the last frame of the video": "max_f 是视频的最后一帧",
    "numbers of this pack were not compared": "没有比较过这个节点包的数值",
    "prompts are mixed along a line, not along a circle": "提示词沿直线混合，而不是沿圆弧",
    "prompts are refused for another number of frames than num_frames":
        "帧数与 num_frames 不同时，提示词会被拒绝",
    "samplers without a motion module have the checkpoint's own noise schedule, and not {}":
        "没有运动模块的采样器使用检查点自己的噪声调度，而不是 {}",
    "sizes of pictures are not told to SDXL": "不把图片尺寸告诉 SDXL",
    "the batch of the latents is the number of frames, and not frame_number":
        "帧数是 Latent 的批次大小，而不是 frame_number",
    "the mask of the motion scale is stretched in another way": "运动幅度的遮罩以另一种方式拉伸",
    "the negative prompt has to get its own ControlNet": "负面提示词需要自己的 ControlNet",
    "the pictures are numbered in another way": "图片的编号方式不同",
    "the pictures are numbered in another way, with 8 bits": "图片的编号方式不同，并且是 8 位",
    "the start noise is another one, as with another seed": "初始噪声不同，如同换了种子",
    "the video is kept in the output folder": "视频保留在 output 文件夹",
    "the video is not cut to the length of its sound": "视频不按声音长度裁剪",
    "the workflow is in the file": "文件中含有工作流",
    "videos of more than 16 frames are sampled in windows": "超过 16 帧的视频分窗口采样",
    "windows are blended by pyramid, not at random": "窗口按 pyramid 混合，而不是随机混合",
    "windows of {} frames overlap by {}; {} leave nothing there":
        "{} 帧的窗口重叠 {} 帧；原来的 {} 帧不留空间",
    "{} is a format of somebody's own, and H.264 takes its place": "{} 是自定义格式，以 H.264 代替",
    # equal
    "it is a part of what {} is now": "它是 {} 现在的一部分",
    "it is among the settings of what {} is now": "它在 {} 现在的设置之中",
    "its folder has to stand in user/__zoetrope/allowed_folders.txt: {}":
        "它的文件夹必须写在 user/__zoetrope/allowed_folders.txt 中：{}",
    "nothing used it": "没有节点使用它",
    # about the whole
    "There are no nodes of the packs that can be converted; nothing was changed.":
        "没有可以转换的节点；没有改动。",
    "Converted {} of {} nodes; {} differ, {} left.":
        "转换了 {1} 个节点中的 {0} 个；{2} 个有差异，{3} 个保留。",
    "this is neither a workflow of ComfyUI's editor nor a prompt in API format; give the .json that ComfyUI"
    " saves, or an image or video that it wrote.":
        "这既不是 ComfyUI 编辑器的工作流，也不是 API 格式的任务；"
        "请给出 ComfyUI 保存的 .json，或它写出的图片或视频。",
    "its nodes go round in a circle; take one of the wires out.":
        "它的节点连成了一个环；请去掉其中一条连线。",
    "this workflow has version {}, and {} is the newest that is known; save it from ComfyUI 0.30, or update"
    " this pack.":
        "这个工作流的版本是 {}，已知的最新版本是 {}；请用 ComfyUI 0.30 保存，或更新本节点包。",
    "one of its nodes has no number or no type; it is no workflow of ComfyUI's editor.":
        "其中一个节点没有编号或类型；这不是 ComfyUI 编辑器的工作流。",
    "two nodes have the number {}; open the workflow in ComfyUI, and save it again.":
        "有两个节点的编号是 {}；请在 ComfyUI 中打开工作流并重新保存。",
    "and {} more; python dev.py convert lists them with --report.":
        "另有 {} 条；python dev.py convert 加 --report 会全部列出。",
}  # fmt: skip
"""Numbers in braces say which name of the English sentence stands there, where the order is another one."""


def in_chinese(text: str) -> str:
    """A sentence, or several with semicolons between them; in English where there is no translation."""
    whole = _one(text)
    if whole is not None:
        return whole
    for at in (match.start() for match in re.finditer("; ", text)):
        first = _one(text[:at])
        if first is not None:
            return f"{first}；{in_chinese(text[at + 2 :])}"
    return text


def _one(text: str) -> str | None:
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(text):
            return chinese.format(*found.groups())
    return None


@functools.cache
def _patterns() -> list[tuple[re.Pattern, str]]:
    """Those with the most words of their own first, so that a name does not swallow them."""
    ordered = sorted(SENTENCES, key=lambda sentence: -len(sentence.replace("{}", "")))
    return [
        (re.compile(re.escape(sentence).replace(r"\{\}", "(.+?)"), re.DOTALL), SENTENCES[sentence])
        for sentence in ordered
    ]
