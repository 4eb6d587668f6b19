// Emoji by the shortcodes that chats share. One line is a list of code and emoji in turn.

const lines = `
smile 😄 grin 😁 joy 😂 rofl 🤣 slight_smile 🙂 upside_down 🙃 wink 😉 blush 😊 innocent 😇
heart_eyes 😍 kissing_heart 😘 yum 😋 stuck_out_tongue 😛 zany 🤪 thinking 🤔 neutral 😐
unamused 😒 roll_eyes 🙄 grimacing 😬 relieved 😌 pensive 😔 sleepy 😪 sleeping 😴 mask 😷
dizzy 😵 exploding_head 🤯 sunglasses 😎 nerd 🤓 confused 😕 worried 😟 open_mouth 😮 flushed 😳
pleading 🥺 cry 😢 sob 😭 scream 😱 sweat 😓 tired 😫 yawning 🥱 triumph 😤 angry 😠 rage 😡
skull 💀 clown 🤡 ghost 👻 robot 🤖 wave 👋 ok_hand 👌 v ✌️ crossed_fingers 🤞 point_up ☝️
point_down 👇 point_left 👈 point_right 👉 thumbsup 👍 +1 👍 thumbsdown 👎 -1 👎 fist ✊ clap 👏
raised_hands 🙌 pray 🙏 muscle 💪 handshake 🤝 eyes 👀 brain 🧠 heart ❤️ broken_heart 💔
hundred 💯 sparkles ✨ star ⭐ fire 🔥 boom 💥 zap ⚡ tada 🎉 balloon 🎈 gift 🎁 trophy 🏆 medal 🏅
rocket 🚀 airplane ✈️ car 🚗 bike 🚲 house 🏠 earth 🌍 sun ☀️ moon 🌙 cloud ☁️ rain 🌧️ snow ❄️
umbrella ☔ rainbow 🌈 dog 🐶 cat 🐱 fox 🦊 bear 🐻 panda 🐼 monkey 🐵 penguin 🐧 bug 🐛 snail 🐌
turtle 🐢 fish 🐟 whale 🐳 rose 🌹 sunflower 🌻 four_leaf_clover 🍀 cactus 🌵 apple 🍎 banana 🍌
lemon 🍋 cherries 🍒 avocado 🥑 bread 🍞 cheese 🧀 pizza 🍕 burger 🍔 fries 🍟 taco 🌮 sushi 🍣
ramen 🍜 rice 🍚 cake 🍰 cookie 🍪 coffee ☕ tea 🍵 beer 🍺 wine 🍷 soccer ⚽ basketball 🏀
guitar 🎸 music 🎵 art 🎨 movie 🎬 camera 📷 phone 📱 computer 💻 keyboard ⌨️ bulb 💡 book 📖
memo 📝 pencil ✏️ pushpin 📌 paperclip 📎 lock 🔒 key 🔑 hammer 🔨 wrench 🔧 gear ⚙️ link 🔗
package 📦 email ✉️ calendar 📅 clock 🕐 hourglass ⏳ bell 🔔 mega 📣 question ❓ exclamation ❗
warning ⚠️ no_entry ⛔ check ✅ x ❌ plus ➕ recycle ♻️ arrow_up ⬆️ arrow_down ⬇️ arrow_left ⬅️
arrow_right ➡️ shrug 🤷 facepalm 🤦 party 🥳 melting 🫠 salute 🫡 hug 🤗 shush 🤫 money 💰
chart 📈`

const words = lines.trim().split(/\s+/)

/** @type {Map<string, string>} */
export const emoji = new Map()
for (let i = 0; i + 1 < words.length; i += 2) emoji.set(words[i], words[i + 1])
