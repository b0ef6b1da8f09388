/// The names of x0 to x31 in the calling convention.
public func registerName(_ index: Int) -> String {
    switch index {
    case 0: "zero"
    case 1: "ra"
    case 2: "sp"
    case 3: "gp"
    case 4: "tp"
    case 5...7: "t\(index - 5)"
    case 8, 9: "s\(index - 8)"
    case 10...17: "a\(index - 10)"
    case 18...27: "s\(index - 16)"
    default: "t\(index - 25)"
    }
}
