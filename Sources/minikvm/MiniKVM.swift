@main struct MiniKVM { static func main() {} }
